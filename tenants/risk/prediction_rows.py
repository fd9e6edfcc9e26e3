"""What one step of a scoring says of its patients: both lists, ranked within each facility, ready to be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from core.database import binary_copy
from core.database.binary_copy import NULL, column, field
from tenants.cohort.timelines import NO_DAY, day_number
from tenants.risk.wording import raising

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime
    from uuid import UUID

    import numpy.typing as npt

    from tenants.cohort.timelines import Timelines
    from tenants.cohort.units import Trace, Units
    from tenants.risk.serving import Serving

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]

EXPLAINED_AT_ONCE: Final = 2000
LEVELS: Final = ("high", "medium", "low")
_BY_PARTNER: Final = orjson.dumps(
    [{"theme": "overdue", "text": "in IIT by the partner's own list; a contact cannot be read", "contribution": None}]
)


@dataclass(frozen=True, slots=True, eq=False)
class AtRisk:
    """People with an expected contact ahead, in order of their UUID.

    Attributes:
        patient: (n, 16) bytes of the UUIDs.
        facility: (n,) index of the facility.
        expected: (n,) day expected.
        raw, risk: (n,) the model's probability, and calibrated.
        features: (n, p) what they come from.
    """

    patient: npt.NDArray[np.void]
    facility: Ints
    expected: Ints
    raw: Floats
    risk: Floats
    features: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Late:
    """People past their expected contact, in order of their UUID: within grace, or (``iit``) beyond it.

    ``by_partner``: a contact of theirs cannot be read, and it is the partner's own list that says so.
    """

    patient: npt.NDArray[np.void]
    facility: Ints
    expected: Ints
    days_late: Ints
    iit: Bools
    by_partner: Bools


@dataclass(frozen=True, slots=True)
class Said:
    """What is the same for all rows of a scoring, and what each facility's rows say of their data.

    Attributes:
        model: what scores.
        as_of: the date.
        stamp: when it was scored.
        share: of each facility's people at risk, the part within capacity.
        most: reasons given.
        facilities: UUIDs by index.
        data_dates: of each facility, where known.
        stale: whether each facility's records end too early.
    """

    model: Serving
    as_of: date
    stamp: datetime
    share: float
    most: int
    facilities: Sequence[UUID]
    data_dates: Sequence[date | None]
    stale: Sequence[bool]


def at_risk(
    timelines: Timelines, pending: Units, chosen: Sequence[int], columns: Floats, raw_and_risk: tuple[Floats, Floats]
) -> AtRisk:
    """The people of the chosen units; features and probabilities are those of all of ``pending``."""
    place = np.asarray(chosen, dtype=np.int64)
    raw, risk = raw_and_risk
    patient = pending.patient[place]
    return AtRisk(
        patient=_bytes(timelines, patient),
        facility=timelines.facility[patient].astype(np.int64),
        expected=pending.expected[place].astype(np.int64),
        raw=raw[place],
        risk=risk[place],
        features=columns[place],
    )


def late(timelines: Timelines, trace: Trace) -> Late:
    """The people of a trace."""
    return Late(
        patient=_bytes(timelines, trace.patient),
        facility=timelines.facility[trace.patient].astype(np.int64),
        expected=trace.expected.astype(np.int64),
        days_late=trace.days_late.astype(np.int64),
        iit=trace.iit,
        by_partner=np.asarray(trace.by_partner, dtype=np.bool_),
    )


def joined(parts: Sequence[Any]) -> Any:  # noqa: ANN401 - AtRisk or Late
    """Parts one after the other."""
    kind = type(parts[0])
    return kind(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in kind.__slots__})


def _bytes(timelines: Timelines, patient: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.void]:
    uuids = timelines.patient_uuid[patient].tolist()
    return np.frombuffer(b"".join([uuid.bytes for uuid in uuids]), dtype="V16")


def ranked(facility: Ints, *keys: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """Place within the facility, from 1, and how many the facility has, of each row; the first key weighs most."""
    n = facility.size
    order = np.lexsort((np.arange(n), *reversed(keys), facility))
    of = facility[order]
    starts = np.flatnonzero(np.append(True, of[1:] != of[:-1])) if n else np.zeros(0, dtype=np.int64)
    counts = np.diff(np.append(starts, n))
    place, everyone = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    place[order] = np.arange(n) - np.repeat(starts, counts) + 1
    everyone[order] = np.repeat(counts, counts)
    return place, everyone


def rows_at_risk(people: AtRisk, said: Said) -> Iterator[bytes]:
    """Rows of the list ``at_risk``: highest risk first, levels by capacity, reasons for those within it."""
    if not people.risk.size:
        return
    place, everyone = ranked(people.facility, -people.risk, people.expected)
    within = np.ceil(said.share * everyone)
    level = np.where(place <= within, 0, np.where(place <= np.ceil(2 * said.share * everyone), 1, 2))
    low, high = said.model.reliability.interval(people.risk)
    measured = not np.isnan(low).any()
    for code, name in enumerate(LEVELS):
        for chosen in _parts(np.flatnonzero(level == code), said, people.facility):
            figures = {
                "risk": column("float8", people.risk[chosen]),
                "risk_low": column("float8", low[chosen]) if measured else NULL,
                "risk_high": column("float8", high[chosen]) if measured else NULL,
                "raw_score": column("float8", people.raw[chosen]),
            }
            columns = _columns(people, chosen, said, "at_risk", np.zeros(chosen.size), figures, name, place)
            jsons = _reasons(people.features[chosen], said) if code == 0 else None
            yield binary_copy.rows(chosen.size, columns, jsons)


def rows_late(people: Late, said: Said) -> Iterator[bytes]:
    """Rows of the list ``to_trace``: who is late and nearest to IIT first, then who is in IIT, latest first."""
    if not people.iit.size:
        return
    days = people.days_late
    # Of whom nobody knows how late they are: last.
    late = np.where(people.by_partner, np.iinfo(np.int64).max, np.where(people.iit, days, -days))
    place, _ = ranked(people.facility, people.iit, late, people.expected)
    figures = dict.fromkeys(("risk", "risk_low", "risk_high", "raw_score"), NULL)
    for name, iit in (("late", False), ("iit", True)):
        for theirs in (False, True):
            own = np.flatnonzero((people.iit == iit) & (people.by_partner == theirs))
            for chosen in _parts(own, said, people.facility):
                columns = _columns(people, chosen, said, "to_trace", days[chosen], figures, name, place)
                yield binary_copy.rows(chosen.size, columns, [_BY_PARTNER] * chosen.size if theirs else None)


def _parts(chosen: Ints, said: Said, facility: Ints) -> Iterator[Ints]:
    """Rows whose facilities have a data date, and those whose have none: a NULL has a form of its own."""
    dated = np.array([day is not None for day in said.data_dates], dtype=np.bool_)[facility[chosen]]
    yield from (part for part in (chosen[dated], chosen[~dated]) if part.size)


def _columns(
    people: AtRisk | Late,
    chosen: Ints,
    said: Said,
    kind: str,
    days_late: npt.NDArray[Any],
    figures: dict[str, Any],
    level: str,
    place: Ints,
) -> dict[str, Any]:
    facility = people.facility[chosen]
    uuids = np.frombuffer(b"".join(uuid.bytes for uuid in said.facilities), dtype="V16")
    data = np.array([0 if day is None else day_number(day) for day in said.data_dates], dtype=np.int64)[facility]
    dated = said.data_dates[int(facility[0])] is not None
    model = said.model
    return {
        "uuid": binary_copy.new_uuids(chosen.size),
        "patient_uuid": people.patient[chosen],
        "facility_uuid": uuids[facility],
        "as_of": field("date", said.as_of),
        "kind": field("text", kind),
        "expected_date": NULL if people.expected[chosen[0]] == NO_DAY else column("date", people.expected[chosen]),
        "days_late": column("int4", days_late),
        "prediction_timestamp": field("timestamptz", said.stamp),
        "model_uuid": field("uuid", model.uuid),
        "model_version": field("text", model.version),
        **figures,
        "risk_level": field("text", level),
        "rank": column("int4", place[chosen]),
        "within_capacity": field("bool", level == LEVELS[0]),
        "calibration_note": field("text", model.note if kind == "at_risk" else None),
        "data_date": column("date", data) if dated else NULL,
        "stale": column("bool", np.array(said.stale, dtype=np.bool_)[facility]),
    }


def _reasons(features: Floats, said: Said) -> list[bytes]:
    """What raises each one's risk, as JSON."""
    found: list[bytes] = []
    for start in range(0, len(features), EXPLAINED_AT_ONCE):
        part = features[start : start + EXPLAINED_AT_ONCE]
        themes = said.model.themes(part)[1]
        found += [orjson.dumps(raising(row, added, said.most)) for row, added in zip(part, themes, strict=True)]
    return found
