"""Build timelines from unordered columns of facts; missing columns get defaults."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tenants.cohort.timelines import (
    BOOKING_SCHEDULED,
    CLINICAL,
    NO_DAY,
    NO_WORD,
    OPEN_DAY,
    SEX_NOT_RECORDED,
    Bookings,
    Contacts,
    Gaps,
    Observations,
    Profiles,
    R,
    Rows,
    States,
    Timelines,
    offsets_of,
    row_key,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    import numpy.typing as npt

    from tenants.cohort.timelines import UuidArray

_DEFAULTS: Final[Mapping[str, tuple[Any, Any]]] = {
    "known_from": (np.int32, NO_DAY),
    "known_to": (np.int32, OPEN_DAY),
    "sex": (np.int8, SEX_NOT_RECORDED),
    "birth": (np.int32, NO_DAY),
    "art_start": (np.int32, NO_DAY),
    "transferred_in": (np.bool_, False),
    "date": (np.int32, None),
    "kind": (np.int8, CLINICAL),
    "days_supplied": (np.int32, 0),
    "next_appointment": (np.int32, NO_DAY),
    "regimen": (np.int32, -1),
    "line": (np.int32, -1),
    "assumed": (np.bool_, False),
    "booked": (np.int32, None),
    "due": (np.int32, None),
    "status": (np.int8, BOOKING_SCHEDULED),
    "code": (np.int8, None),
    "dated": (np.bool_, True),
    "word": (np.int8, NO_WORD),
    "variable": (np.int8, None),
    "value": (np.float64, np.nan),
}
_EVENT_DAY: Final[Mapping[type[Rows], str]] = {
    Profiles: "known_from",
    Contacts: "date",
    Bookings: "booked",
    States: "date",
    Gaps: "date",
    Observations: "date",
}


def make_rows(kind: type[R], patients: int, columns: Mapping[str, Any]) -> R:
    """Return rows of ``kind`` from unordered columns with a ``patient`` index; missing columns get their default.

    Raises:
        ValueError: a column without a default is missing, or a column is unknown.
    """
    patient = np.asarray(columns.get("patient", ()), dtype=np.int64)
    names = [f.name for f in fields(kind) if f.name != "offsets"]
    unknown = set(columns) - {*names, "patient"}
    if unknown:
        message = f"{kind.__name__} has no column {', '.join(sorted(unknown))}"
        raise ValueError(message)
    values: dict[str, Any] = {}
    for name in names:
        dtype, default = (np.int64, None) if name == "entity" else _DEFAULTS[name]
        if name in columns:
            values[name] = np.broadcast_to(np.asarray(columns[name], dtype=dtype), patient.shape)
        elif name == "entity":
            values[name] = np.arange(patient.size, dtype=np.int64)
        elif default is None and patient.size:
            message = f"{kind.__name__} needs the column {name}"
            raise ValueError(message)
        else:
            values[name] = np.full(patient.size, 0 if default is None else default, dtype=dtype)
    offsets = offsets_of(patient, patients)
    key, known_from = row_key(patient, values[_EVENT_DAY[kind]]), values["known_from"]
    if np.all((key[1:] > key[:-1]) | ((key[1:] == key[:-1]) & (known_from[1:] >= known_from[:-1]))):
        return kind(offsets=offsets, **values)  # already in order, as an index returns them
    order = np.lexsort((known_from, key))
    return kind(offsets=offsets, **{name: column[order] for name, column in values.items()})


def make_timelines(  # noqa: PLR0913 - one argument per kind of fact
    patient_uuid: Sequence[UUID] | UuidArray,
    *,
    facility: npt.ArrayLike | None = None,
    facilities: Sequence[UUID] = (),
    profiles: Mapping[str, Any] | None = None,
    contacts: Mapping[str, Any] | None = None,
    bookings: Mapping[str, Any] | None = None,
    states: Mapping[str, Any] | None = None,
    gaps: Mapping[str, Any] | None = None,
    observations: Mapping[str, Any] | None = None,
    regimens: Sequence[str] = (),
    lines: Sequence[str] = (),
) -> Timelines:
    """Return timelines from unordered columns; each mapping has a ``patient`` index column (see :func:`make_rows`)."""
    n = len(patient_uuid)
    uuids = np.empty(n, dtype=np.object_)
    uuids[:] = list(patient_uuid)
    return Timelines(
        patient_uuid=uuids,
        facility=np.zeros(n, dtype=np.int32) if facility is None else np.asarray(facility, dtype=np.int32),
        facilities=tuple(facilities),
        profiles=make_rows(Profiles, n, {"patient": np.arange(n)} if profiles is None else profiles),
        contacts=make_rows(Contacts, n, contacts or {}),
        bookings=make_rows(Bookings, n, bookings or {}),
        states=make_rows(States, n, states or {}),
        gaps=make_rows(Gaps, n, gaps or {}),
        observations=make_rows(Observations, n, observations or {}),
        regimens=tuple(regimens),
        lines=tuple(lines),
    )
