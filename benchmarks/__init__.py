"""Benchmarks: what the platform costs compared with the bare library or database, measured side by side in one run."""
