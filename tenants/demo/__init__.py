"""A simulated cohort, and the main job run on it or on the visitor's own files."""
