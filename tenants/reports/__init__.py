"""What a partner sends on: line lists, the RADET, MER tables, and data value sets for DHIS2."""
