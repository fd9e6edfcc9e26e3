"""Problems, remedies and notes of the checks; their statements take them as parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.errors import counted_phrase, phrase
from core.web.texts import marked
from tenants.imports.staging import unnamed

if TYPE_CHECKING:
    from collections.abc import Mapping

REPEATED = marked("another row with the same key has different values ({file}, line {line})")
SEVERAL_REPEATED = phrase("another row with the same key has different values")
"""The same of rows of several files or lines."""

CHECK_TEXTS: Final[Mapping[str, str]] = {
    "repeated": REPEATED.format(file="%s", line="%s"),
    "keep_one": phrase("keep the row that is right, or name more columns under 'key' in the mapping"),
    "nobody": phrase("no patient has this identifier"),
    "give_patient": phrase("give the row of the patient too, and look in this report whether that row was rejected"),
    "several": unnamed.SEVERAL,
    "name_facility": phrase("name the facility of these rows in the mapping"),
    "before_birth": phrase("the date lies before the date of birth of the patient"),
    "correct_date": phrase("correct one of the two dates"),
}
"""Problems and remedies of the rows that the statements reject."""


def before_birth_note(people: int) -> str:
    """The note on people with an event before their birth."""
    return counted_phrase(
        "{count} person is listed with an event before the date of birth on record: kept; find out which of the two is"
        " wrong",
        "{count} people are listed with an event before the date of birth on record: kept; find out which of the two is"
        " wrong",
        people,
    )
