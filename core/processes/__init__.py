"""Child processes, which end with their parent and stay within limits."""

from core.processes.limits import bind, die_with_parent

__all__ = ["bind", "die_with_parent"]
