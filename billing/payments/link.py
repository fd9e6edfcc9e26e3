"""A link to a page of a payment provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Link:
    """A page of the provider for one partner.

    Attributes:
        url: its address; whoever has it may use it.
        expires_at: until when it can be used; None if the provider does not say.
    """

    url: str
    expires_at: datetime | None = None
