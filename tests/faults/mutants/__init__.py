"""Mutants: each removes one mechanism of the platform, and one test must fail without it."""
