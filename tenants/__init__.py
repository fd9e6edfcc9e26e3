"""What a partner does with its own data: records, imports, cohort, risk and what follows from them."""
