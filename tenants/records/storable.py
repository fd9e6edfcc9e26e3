"""Check that the records can store a text, before anything is written. Import readers and the API's schemas use it.

A text must be valid for PostgreSQL, no longer than ``MAX_TEXT``, and, if its column is indexed, short enough for an
entry of the index. The tables themselves say which columns are indexed.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Text

from core.errors import phrase
from core.privacy.blind_index import is_blank
from tenants.records.models import Appointment, Dispensation, Encounter, Facility, Observation, Patient, PatientState
from tenants.records.models import Visit as VisitModel
from tenants.records.personal import INDEXED

if TYPE_CHECKING:
    from core.database import TenantBase

MAX_TEXT = 2000
"""The most characters of a text."""

INDEXED_BYTES = 1000
"""The most bytes of an indexed text. Two texts may share an index entry, of which PostgreSQL allows 2,704 bytes."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_MODELS: dict[str, type[TenantBase]] = {
    "facilities": Facility,
    "patients": Patient,
    "patient_states": PatientState,
    "visits": VisitModel,
    "encounters": Encounter,
    "observations": Observation,
    "dispensations": Dispensation,
    "appointments": Appointment,
}


class Problem(NamedTuple):
    """Why a text cannot be stored, and what to do."""

    problem: str
    remedy: str


def text_problem(text: str, *, most_bytes: int | None = None) -> Problem | None:
    """Why a text cannot be stored; None if it can.

    Args:
        text: the text, without spaces around it.
        most_bytes: the most bytes in UTF-8, for an indexed column.
    """
    if text.isascii() and text.isprintable():
        if len(text) <= (INDEXED_BYTES if most_bytes is None else most_bytes):
            return None
    elif _SURROGATE.search(text):
        return Problem("half of a character: the text was cut in the middle", "type the text again")
    elif has_control(text):
        return Problem("the text holds a control character", "type the text again")
    if len(text) > MAX_TEXT:
        return Problem(
            phrase("a text of more than {most:,} characters", most=MAX_TEXT),
            "check that the column is the right one",
        )
    if most_bytes is not None and len(text.encode()) > most_bytes:
        return Problem(
            phrase("a text of more than {most:,} bytes", most=most_bytes),
            "check that the column is the right one",
        )
    return None


def has_control(text: str) -> bool:
    """Whether a text holds a control character other than tab and line breaks."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def field_problem(kind: str, field: str, text: str) -> Problem | None:
    """Why a text cannot be stored in a field of a kind of record; None if it can.

    Args:
        kind: name of the table, such as ``patients``.
        field: name of the field.
        text: the text, without spaces around it.
    """
    problem = text_problem(text, most_bytes=INDEXED_BYTES if field in indexed_texts(kind) else None)
    if problem is None and kind == "patients" and field in INDEXED and is_blank(field, text):
        what = phrase("no digit of a telephone number") if field == "phone" else phrase("no letter or digit")
        return Problem(phrase("the cell holds {what}", what=what), "correct it, or leave it empty")
    return problem


@cache
def indexed_texts(kind: str) -> frozenset[str]:
    """The indexed text columns of a kind's table, read from the table itself."""
    if kind not in _MODELS:
        return frozenset({"datim_id"})
    table = _MODELS[kind].__table__  # type: ignore[attr-defined]
    indexed = [index.columns for index in table.indexes]
    indexed += [constraint.columns for constraint in table.constraints]
    return frozenset({column.name for columns in indexed for column in columns if isinstance(column.type, Text)})


def storable_text(text: str) -> str:
    """Return the text if it can be stored: a validator for schemas.

    Raises:
        ValueError: it cannot be stored.
    """
    problem = text_problem(text, most_bytes=INDEXED_BYTES)
    if problem is not None:
        message = f"{problem.problem}: {problem.remedy}"
        raise ValueError(message)
    return text
