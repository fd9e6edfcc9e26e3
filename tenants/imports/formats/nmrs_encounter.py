"""An encounter of an NMRS container, with the answers of its observations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from tenants.imports.formats.records import Fields


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a question: its value, its place, whether its source voided it, and the question's concept."""

    value: Any
    place: Fields
    name: str
    voided: bool
    concept: str | None


@dataclass(slots=True)
class Encounter:
    """One encounter of the container.

    Attributes:
        kinds: its type and form, folded.
        answers: the answers of its observations, by question.
    """

    key: str
    when: datetime
    voided: bool
    stamp: datetime | None
    place: Fields
    kinds: frozenset[str] = frozenset()
    answers: dict[str, list[Answer]] = field(default_factory=dict)
