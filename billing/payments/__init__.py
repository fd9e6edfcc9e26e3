"""How money comes in: by bank transfer, or by Stripe, which mirrors our ledger and takes payments of our invoices."""
