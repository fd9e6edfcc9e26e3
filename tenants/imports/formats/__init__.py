"""Readers of named formats, and their common parts."""
