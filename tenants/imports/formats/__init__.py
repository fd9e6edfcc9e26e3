"""Readers of named formats, and what they share."""
