"""The rooms of a tenant's own data: records, imports, cohort, risk, and those that build on them."""
