"""Backups of one tenant: written by pg_dump, sealed, and restored beside what is there before they take its place."""
