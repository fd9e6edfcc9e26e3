"""Apply an import: from the staging table to the versioned records."""
