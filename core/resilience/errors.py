"""Why a call was not made."""

from core.errors import Unavailable


class BreakerOpen(Unavailable):
    """The dependency failed too often, or an operator stopped the calls to it."""


class BulkheadFull(Unavailable):
    """As many calls to the dependency are under way as may be at once."""


class DeadlinePassed(Unavailable):
    """The request or the job has no time left for another call."""


NOT_CALLED = (BreakerOpen, BulkheadFull, DeadlinePassed)
"""The errors that say that the dependency was not called. The guard does not repeat such a call."""
