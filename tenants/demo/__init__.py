"""The demo: a simulated cohort, or the visitor's own files, taken from records to lists."""
