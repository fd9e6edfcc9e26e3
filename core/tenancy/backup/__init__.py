"""Backups of one tenant: pg_dump writes them, sealed. A restore loads one beside the present data, then replaces it."""
