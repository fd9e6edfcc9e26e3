"""Money: plans, invoices, payments, costs, and the console of the people who run the business. Knows nothing of HIV."""
