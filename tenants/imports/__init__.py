"""Imports: from a partner's files to its records, by readers, mappings, checks and reports."""
