"""Deliveries of messages to other systems: a state machine that survives the death of a worker.

A room makes a table of its deliveries with ``DeliveryColumns``. A job sends one delivery, with the id in its payload:

1. ``begin`` in a step of its own: the row says ``sending`` once the step has committed;
2. the call to the other system, with no transaction open;
3. ``record`` in the next step: the row says what became of it, or when to try again.

A row that ``begin`` finds in ``sending`` belongs to a try whose end nobody knows. If a repetition does no harm, because
the receiver recognizes it, ``begin`` repeats it. If not, the delivery becomes ``unknown``: it may have arrived, and is
never sent again. A report of the receiver settles it with ``reconcile``.
"""

from core.deliveries.models import DeliveryColumns, delivery_checks
from core.deliveries.schedule import PAUSES, pause_before
from core.deliveries.states import ENDED, NOT_TRIED, after_try, begin, reconcile, record, send_again

__all__ = [
    "ENDED",
    "NOT_TRIED",
    "PAUSES",
    "DeliveryColumns",
    "after_try",
    "begin",
    "delivery_checks",
    "pause_before",
    "reconcile",
    "record",
    "send_again",
]
