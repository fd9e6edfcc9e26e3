"""Calls to what this process depends on: bounded in time and number, and stopped while the other side fails."""

from core.resilience.deadlines import deadline, seconds_left
from core.resilience.dependency import BreakerPolicy, Dependency
from core.resilience.errors import BreakerOpen, BulkheadFull, DeadlinePassed
from core.resilience.fallbacks import collecting_fallbacks, fallback
from core.resilience.guard import Guard, guarded

__all__ = [
    "BreakerOpen",
    "BreakerPolicy",
    "BulkheadFull",
    "DeadlinePassed",
    "Dependency",
    "Guard",
    "collecting_fallbacks",
    "deadline",
    "fallback",
    "guarded",
    "seconds_left",
]
