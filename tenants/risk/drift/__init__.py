"""Drift: whether records, scores and outcomes still look as they did when the model earned its figures."""
