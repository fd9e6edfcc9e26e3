"""What time it is: the only place that asks the machine, so that tests can say otherwise."""

from core.clock.time import frozen, now, today

__all__ = ["frozen", "now", "today"]
