"""From a partner's files to its records: readers, mappings, checks, reports."""
