"""Stage the facts of readings, and check the staged rows."""
