"""From readings to the staging table, and the checks on what is staged."""
