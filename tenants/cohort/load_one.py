"""Timelines of one patient from two statements that need no session, for reads that are very frequent.

The statements are those of :mod:`tenants.cohort.load`, composed once per process. They do not follow merges: check
first that the patient was never part of one.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final
from uuid import UUID

import numpy as np

from tenants.cohort.columns import together, unpack_together
from tenants.cohort.load import Loader
from tenants.cohort.texts import CONTACT_TEXTS, TEXTS, Texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import numpy.typing as npt

    from tenants.cohort.timelines import Timelines

_MARK: Final = UUID(int=0xFEED_0000_0000_4000_8000_0000_0000_0001)
"""A placeholder for the patient while the statements are composed."""


def statements(patient: UUID) -> list[tuple[str, Mapping[str, object]]]:
    """The two statements and their parameters; :func:`timelines` builds timelines from their rows."""
    values = {"patients": f"{{{patient.hex}}}"}
    return [(text, values) for text in _composed()]


def timelines(
    patient: UUID, facility: UUID, zone: str, facts: Sequence[Any], texts: Sequence[tuple[int, str | None, str | None]]
) -> Timelines:
    """All versions of the facts of one patient, whose facility is the only one of the timelines.

    Args:
        patient: UUID of the patient.
        facility: UUID of the patient's facility.
        zone: the tenant's time zone, whose days count.
        facts: the row of the first statement.
        texts: the rows of the second statement.
    """
    texts_of_patient = Texts()
    texts_of_patient.learn(texts)
    return _PatientLoader(zone, facility, texts_of_patient).of(patient, facts)


class _PatientLoader(Loader):
    """A loader without a session, for one patient whose facts are in memory."""

    def __init__(self, zone: str, facility: UUID | None, texts: Texts) -> None:
        self._patient_uuids = [_MARK]
        self._within = None
        self._facilities = () if facility is None else (facility,)
        self._texts = texts
        self._zone = zone
        self._since = None
        self._merges_of_chunk = None

    def of(self, patient: UUID, facts: Sequence[Any]) -> Timelines:
        """Return the timelines of the patient."""
        uuids = np.array([patient.bytes], dtype="S16")
        columns = {name: kinds for name, (_, kinds) in _questions().items()}
        return self._timelines_of(uuids, np.zeros(1, dtype=np.int64), unpack_together(facts, columns))

    def _codes(
        self, _uuids: npt.NDArray[np.bytes_], numbers: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        return self._texts.learned(numbers)

    def question(self) -> Any:  # noqa: ANN401 - as Loader's own
        """The queries of the facts, with ``_MARK`` in place of a patient."""
        return self._questions(np.array([_MARK.bytes], dtype="S16"))

    def bounds(self) -> Any:  # noqa: ANN401 - a condition
        """The condition for a patient's contacts, with ``_MARK`` in place of the patient."""
        return self._own_range(np.array([_MARK.bytes], dtype="S16"), "patient_uuid")


@cache
def _questions() -> Any:  # noqa: ANN401 - as Loader's own
    return _PatientLoader("UTC", None, Texts()).question()


@cache
def _composed() -> tuple[str, str]:
    loader = _PatientLoader("UTC", None, Texts())
    facts = together(_questions()).as_string()
    texts = CONTACT_TEXTS.format(texts=TEXTS, range=loader.bounds()).as_string()
    literal = f"'{{{_MARK.hex}}}'"
    return _with_parameter(facts, literal), _with_parameter(texts, literal)


def _with_parameter(text: str, literal: str) -> str:
    if literal not in text or "%" in text:
        message = "a statement of one patient does not name the patient as it should"
        raise RuntimeError(message)
    return text.replace(literal, "%(patients)s")
