"""The simulated business of the demo's partners: plans, use, an invoice each, and what it cost."""
