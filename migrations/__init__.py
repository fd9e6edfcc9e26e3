"""Alembic trees: ``platform`` (control), ``node`` (each data database), ``tenant`` (every tenant's schema)."""
