"""Data quality: reports on the records, pairs of patients who may be one person, and merges of them."""
