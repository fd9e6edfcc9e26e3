"""From the staging table to the versioned records."""
