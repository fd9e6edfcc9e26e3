"""Processes that the platform starts: they end with it, and keep to limits."""

from core.processes.limits import bind, die_with_parent

__all__ = ["bind", "die_with_parent"]
