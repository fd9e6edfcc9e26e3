"""Alerts about patients."""
