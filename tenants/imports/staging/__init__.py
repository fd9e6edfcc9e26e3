"""From readings to the staging table, and the checks of the staged rows."""
