"""What the language model costs: metered by tenant, within the tenant's budget of a month, priced by a local file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from core import metering
from core.clock import today
from core.settings import get_settings

if TYPE_CHECKING:
    from pathlib import Path

    from core.database import TenantSession
    from tenants.knowledge.settings_answers import AnswerSettings

TOKENS: Final = "language_model_tokens"
COST: Final = "language_model_cost"
SECONDS: Final = "language_model_seconds"
_THOUSAND: Final = Decimal(1000)
_SPENT: Final = """
SELECT coalesce(sum(value) FILTER (WHERE meter = %(cost)s), 0),
       coalesce(sum(value) FILTER (WHERE meter = %(tokens)s), 0)
FROM node.usage_events
WHERE tenant_role = current_user AND meter IN (%(cost)s, %(tokens)s)
AND coalesce(occurred_at, recorded_at) >= %(since)s
"""


@dataclass(frozen=True, slots=True)
class TokenUse:
    """The tokens of one call.

    Attributes:
        model: the name of the model.
        read: tokens of the question and the passages.
        written: tokens of the answer.
    """

    model: str
    read: int
    written: int

    @property
    def cost(self) -> Decimal:
        """The price in US dollars; 0 for a model that the price list does not name."""
        read, written = price_of(self.model)
        return (self.read * read + self.written * written) / _THOUSAND


def price_of(model: str) -> tuple[Decimal, Decimal]:
    """Return the prices of 1,000 tokens that a model reads and writes, in US dollars.

    Raises:
        OSError, ValueError: the price list cannot be read.
    """
    path = get_settings().language_model_prices
    return (Decimal(0), Decimal(0)) if path is None else _prices(path, path.stat().st_mtime_ns).get(model, _FREE)


_FREE: Final = (Decimal(0), Decimal(0))


@lru_cache(maxsize=4)
def _prices(path: Path, _changed: int) -> dict[str, tuple[Decimal, Decimal]]:
    """The prices of a file, by model.

    Raises:
        ValueError: the file has another form.
    """
    content: Any = json.loads(path.read_text("utf-8"), parse_float=Decimal)
    try:
        return {
            str(name): (Decimal(price["promptPrice"]), Decimal(price["completionPrice"]))
            for name, price in content["chat"].items()
        }
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        message = f"the price list {path.name} has another form than openlit's"
        raise ValueError(message) from error


def has_budget(session: TenantSession, policy: AnswerSettings) -> bool:
    """Return whether the tenant has money and tokens left in this calendar month, in its time zone.

    Raises:
        OSError, ValueError: the price list cannot be read.
    """
    first = today(session.tenant.time_zone).replace(day=1)
    since = datetime(first.year, first.month, 1, tzinfo=ZoneInfo(session.tenant.time_zone))
    values = {"cost": COST, "tokens": TOKENS, "since": since}
    row = session.cursor().execute(_SPENT, values).fetchone()
    cost, tokens = (Decimal(0), Decimal(0)) if row is None else row
    # With a budget of 0 nothing may be spent, but a model without a price costs nothing.
    within = cost < Decimal(str(policy.monthly_budget)) or (not cost and price_of(_name()) == _FREE)
    return within and tokens < policy.monthly_tokens


def _name() -> str:
    return get_settings().language_model_name


def record(session: TenantSession, use: TokenUse, key: str) -> None:
    """Count the tokens and the price of a call, whether or not its answer is shown."""
    for direction, tokens in (("read", use.read), ("written", use.written)):
        metering.record(
            session, TOKENS, tokens, key=f"{key}:{direction}", dimensions={"model": use.model, "direction": direction}
        )
    metering.record(session, COST, use.cost, key=key, dimensions={"model": use.model})


def record_time(session: TenantSession, seconds: float, key: str, *, failed: bool) -> None:
    """Count how long a call took, until its sentences were checked or it failed."""
    dimensions = {"model": _name(), "outcome": "failed" if failed else "answered"}
    value = Decimal(str(round(seconds, 3)))
    metering.record(session, SECONDS, value, key=key, dimensions=dimensions, first_counts=True)
