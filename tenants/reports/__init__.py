"""Exports of a partner: line lists, the RADET, MER tables, and data value sets for DHIS2."""
