"""The extras that can be switched off, and the decision about one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal, get_args

from core.errors import phrase

Extra = Literal["ai_answers", "sms", "new_people"]
"""Answers of a language model, messages to patients, and people who join a partner."""

EXTRAS: Final[tuple[Extra, ...]] = get_args(Extra)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a tenant may use an extra now.

    Attributes:
        reason: why not, for the people of the tenant; empty if it may.
        remedy: what they can do.
        status: 402 if the plan or an unpaid invoice forbids it, 429 if a cap is reached; 200 if it is allowed.
        retry_after: seconds until the cap begins again; None if waiting does not help.
    """

    allowed: bool
    reason: str = ""
    remedy: str = ""
    status: Literal[200, 402, 429] = 200
    retry_after: int | None = None


ALLOWED: Final = Decision(allowed=True)


def unpaid() -> Decision:
    """Return the decision about a tenant whose extras are off until an overdue invoice is paid."""
    return Decision(
        allowed=False,
        reason=phrase("an invoice is overdue, and this extra is off until it is paid"),
        remedy=phrase("Pay the invoice, or ask the operator of the installation. Everything else works as before."),
        status=402,
    )


def capped(meter: str, cap: Decimal, day: date, seconds: int) -> Decision:
    """Return the decision about a tenant that has reached a cap.

    Args:
        meter: the meter of the cap.
        cap: its quantity in a period.
        day: the first day of the next period.
        seconds: from now until then.
    """
    quantity = f"{cap:f}"
    return Decision(
        allowed=False,
        reason=phrase("the cap of {cap} of {meter} is reached", cap=quantity, meter=meter),
        remedy=phrase(
            "Wait until {day}, or ask the operator of the installation for a higher cap.", day=day.isoformat()
        ),
        status=429,
        retry_after=seconds,
    )
