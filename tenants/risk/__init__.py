"""Risk: who is about to interrupt treatment, why, and today's lists."""
