"""The clock: the only place that reads the machine's time, so that tests can set it."""

from core.clock.time import frozen, now, today

__all__ = ["frozen", "now", "today"]
