"""Backups of one tenant: written by pg_dump, sealed, and restored beside the present data before they replace it."""
