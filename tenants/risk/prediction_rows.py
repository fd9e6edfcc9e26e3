"""The rows of both lists that one step of a scoring writes, ranked within each facility."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from core.database import binary_copy
from core.database.binary_copy import NULL, column, field
from tenants.cohort.timelines import NO_DAY, day_number
from tenants.risk.serving import Beside
from tenants.risk.wording import raising

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date, datetime
    from uuid import UUID

    import numpy.typing as npt

    from tenants.cohort.timelines import Timelines
    from tenants.cohort.units import Trace, Units
    from tenants.risk.serving import ServingModel

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]

EXPLAINED_AT_ONCE: Final = 2000
LEVELS: Final = ("high", "medium", "low")
_BY_PARTNER: Final = orjson.dumps(
    [{"theme": "overdue", "text": "in IIT by the partner's own list; a contact is not readable", "contribution": None}]
)


@dataclass(frozen=True, slots=True, eq=False)
class AtRisk:
    """People with a pending expected contact, in order of their UUID.

    Attributes:
        patient: (n, 16) bytes of the UUIDs.
        facility: (n,) index of the facility.
        expected: (n,) expected day.
        raw, risk: (n,) the model's probability, and the calibrated one.
        features: (n, p) the features behind them.
        beside: (n,) the calibrated probability of the model beside the one that serves; None where there is none.
        by_beside: (n,) whether the model beside the champion serves; None where there is none.
    """

    patient: npt.NDArray[np.void]
    facility: Ints
    expected: Ints
    raw: Floats
    risk: Floats
    features: Floats
    beside: Floats | None = None
    by_beside: Bools | None = None


@dataclass(frozen=True, slots=True, eq=False)
class LatePeople:
    """People whose expected contact has passed, in order of their UUID.

    ``iit``: the days of grace have passed too. ``by_partner``: a contact of the person is not readable, and the
    partner's own list says IIT.
    """

    patient: npt.NDArray[np.void]
    facility: Ints
    expected: Ints
    days_late: Ints
    iit: Bools
    by_partner: Bools


@dataclass(frozen=True, slots=True)
class ScoringContext:
    """The values that all rows of a scoring share, and the dates of each facility.

    Attributes:
        model: the model that scores.
        as_of: the date.
        stamp: the time of scoring.
        share: share of each facility's people at risk within capacity.
        most: the most reasons per person.
        facilities: UUIDs by index.
        data_dates: data date of each facility, where known.
        stale: whether each facility's records end too early.
    """

    model: ServingModel
    as_of: date
    stamp: datetime
    share: float
    most: int
    facilities: Sequence[UUID]
    data_dates: Sequence[date | None]
    stale: Sequence[bool]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of units, one row each: of the model that serves their facility, and of the one beside it.

    Attributes:
        raw, risk: the probability of the model that serves, and the calibrated one.
        beside: the calibrated probability of the other model; None where there is none.
        by_beside: whether the model beside the champion serves; None where there is none.
    """

    raw: Floats
    risk: Floats
    beside: Floats | None = None
    by_beside: Bools | None = None

    @classmethod
    def of(
        cls,
        context: ScoringContext,
        facility: npt.NDArray[np.integer[Any]],
        champion: tuple[Floats, Floats],
        other: tuple[Floats, Floats] | None,
    ) -> Scores:
        """Let each facility's model serve: the champion, or the one beside it where chance gave it the facility.

        Args:
            context: the scoring.
            facility: index of each unit's facility.
            champion: raw and calibrated probabilities of the champion.
            other: those of the model beside it; None where there is none.
        """
        raw, risk = champion
        if other is None or context.model.beside is None:
            return cls(raw, risk)
        served = context.model.beside.facilities
        by_beside = np.array([uuid in served for uuid in context.facilities], dtype=np.bool_)[facility]
        return cls(
            raw=np.where(by_beside, other[0], raw),
            risk=np.where(by_beside, other[1], risk),
            beside=np.where(by_beside, risk, other[1]),
            by_beside=by_beside,
        )


def at_risk(
    timelines: Timelines, pending: Units, unit_indices: Sequence[int], columns: Floats, scores: Scores
) -> AtRisk:
    """The people of these units; ``columns`` and ``scores`` belong to all of ``pending``."""
    place = np.asarray(unit_indices, dtype=np.int64)
    patient = pending.patient[place]
    return AtRisk(
        patient=_bytes(timelines, patient),
        facility=timelines.facility[patient].astype(np.int64),
        expected=pending.expected[place].astype(np.int64),
        raw=scores.raw[place],
        risk=scores.risk[place],
        features=columns[place],
        beside=None if scores.beside is None else scores.beside[place],
        by_beside=None if scores.by_beside is None else scores.by_beside[place],
    )


def late(timelines: Timelines, trace: Trace) -> LatePeople:
    """The people of a trace."""
    return LatePeople(
        patient=_bytes(timelines, trace.patient),
        facility=timelines.facility[trace.patient].astype(np.int64),
        expected=trace.expected.astype(np.int64),
        days_late=trace.days_late.astype(np.int64),
        iit=trace.iit,
        by_partner=np.asarray(trace.by_partner, dtype=np.bool_),
    )


def concatenate(parts: Sequence[Any]) -> Any:  # noqa: ANN401 - AtRisk or Late
    """The parts one after another, which have the same columns."""
    kind = type(parts[0])
    columns = {name: [getattr(part, name) for part in parts] for name in kind.__slots__}
    return kind(**{name: None if every[0] is None else np.concatenate(every) for name, every in columns.items()})


def _some(people: AtRisk, rows: Bools) -> AtRisk:
    """The people of these rows."""
    columns: dict[str, Any] = {name: getattr(people, name) for name in AtRisk.__slots__}
    chosen: dict[str, Any] = {name: None if values is None else values[rows] for name, values in columns.items()}
    return AtRisk(**chosen)


def _bytes(timelines: Timelines, patient: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.void]:
    uuids = timelines.patient_uuid[patient].tolist()
    return np.frombuffer(b"".join([uuid.bytes for uuid in uuids]), dtype="V16")


def rank_within_facility(facility: Ints, *keys: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """Each row's rank within its facility, from 1, and the facility's number of rows. The first key sorts first."""
    n = facility.size
    order = np.lexsort((np.arange(n), *reversed(keys), facility))
    of = facility[order]
    starts = np.flatnonzero(np.append(True, of[1:] != of[:-1])) if n else np.zeros(0, dtype=np.int64)
    counts = np.diff(np.append(starts, n))
    place, everyone = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    place[order] = np.arange(n) - np.repeat(starts, counts) + 1
    everyone[order] = np.repeat(counts, counts)
    return place, everyone


def rows_at_risk(people: AtRisk, context: ScoringContext) -> Iterator[bytes]:
    """Rows of the list ``at_risk``: highest risk first, levels by capacity, reasons within capacity."""
    if people.by_beside is not None and people.by_beside.any() and context.model.beside is not None:
        # Ranks are within a facility, and a facility has one model: so each model's people can be written apart.
        champion = replace(context.model, beside=None)
        challenger = replace(context.model.beside.model, beside=Beside(champion))
        for model, own in ((context.model, ~people.by_beside), (challenger, people.by_beside)):
            yield from rows_at_risk(replace(_some(people, own), by_beside=None), replace(context, model=model))
        return
    if not people.risk.size:
        return
    place, everyone = rank_within_facility(people.facility, -people.risk, people.expected)
    within = np.ceil(context.share * everyone)
    level = np.where(place <= within, 0, np.where(place <= np.ceil(2 * context.share * everyone), 1, 2))
    low, high = context.model.reliability.interval(people.risk)
    has_interval = not np.isnan(low).any()
    for code, name in enumerate(LEVELS):
        for part in _parts(np.flatnonzero(level == code), context, people.facility):
            figures = {
                "risk": column("float8", people.risk[part]),
                "risk_low": column("float8", low[part]) if has_interval else NULL,
                "risk_high": column("float8", high[part]) if has_interval else NULL,
                "raw_score": column("float8", people.raw[part]),
            }
            columns = _columns(people, part, context, "at_risk", np.zeros(part.size), figures, name, place)
            jsons = _reasons(people.features[part], context) if code == 0 else None
            yield binary_copy.rows(part.size, columns, jsons)


def rows_late(people: LatePeople, context: ScoringContext) -> Iterator[bytes]:
    """Yield the rows of ``to_trace``: late people, nearest to IIT first; then people in IIT, latest first."""
    if not people.iit.size:
        return
    days = people.days_late
    # People whose lateness is unknown come last.
    late = np.where(people.by_partner, np.iinfo(np.int64).max, np.where(people.iit, days, -days))
    place, _ = rank_within_facility(people.facility, people.iit, late, people.expected)
    figures = dict.fromkeys(("risk", "risk_low", "risk_high", "raw_score"), NULL)
    for name, iit in (("late", False), ("iit", True)):
        for theirs in (False, True):
            own = np.flatnonzero((people.iit == iit) & (people.by_partner == theirs))
            for part in _parts(own, context, people.facility):
                columns = _columns(people, part, context, "to_trace", days[part], figures, name, place)
                yield binary_copy.rows(part.size, columns, [_BY_PARTNER] * part.size if theirs else None)


def _parts(rows: Ints, context: ScoringContext, facility: Ints) -> Iterator[Ints]:
    """The rows whose facilities have a data date, then the others, since a NULL is encoded differently."""
    has_date = np.array([day is not None for day in context.data_dates], dtype=np.bool_)[facility[rows]]
    yield from (part for part in (rows[has_date], rows[~has_date]) if part.size)


def _columns(
    people: AtRisk | LatePeople,
    rows: Ints,
    context: ScoringContext,
    kind: str,
    days_late: npt.NDArray[Any],
    figures: dict[str, Any],
    level: str,
    place: Ints,
) -> dict[str, Any]:
    facility = people.facility[rows]
    uuids = np.frombuffer(b"".join(uuid.bytes for uuid in context.facilities), dtype="V16")
    data = np.array([0 if day is None else day_number(day) for day in context.data_dates], dtype=np.int64)[facility]
    has_date = context.data_dates[int(facility[0])] is not None
    model = context.model
    other = people.beside if isinstance(people, AtRisk) and model.beside is not None else None
    return {
        "uuid": binary_copy.new_uuids(rows.size),
        "patient_uuid": people.patient[rows],
        "facility_uuid": uuids[facility],
        "as_of": field("date", context.as_of),
        "kind": field("text", kind),
        "expected_date": NULL if people.expected[rows[0]] == NO_DAY else column("date", people.expected[rows]),
        "days_late": column("int4", days_late),
        "prediction_timestamp": field("timestamptz", context.stamp),
        "model_uuid": field("uuid", model.uuid),
        "model_version": field("text", model.version),
        **figures,
        "risk_level": field("text", level),
        "rank": column("int4", place[rows]),
        "within_capacity": field("bool", level == LEVELS[0]),
        "calibration_note": field("text", model.note if kind == "at_risk" else None),
        "data_date": column("date", data) if has_date else NULL,
        "stale": column("bool", np.array(context.stale, dtype=np.bool_)[facility]),
        "beside_model_uuid": NULL if other is None or model.beside is None else field("uuid", model.beside.model.uuid),
        "beside_risk": NULL if other is None else column("float8", other[rows]),
    }


def _reasons(features: Floats, context: ScoringContext) -> list[bytes]:
    """The themes that raise each row's risk, as JSON."""
    jsons: list[bytes] = []
    for start in range(0, len(features), EXPLAINED_AT_ONCE):
        part = features[start : start + EXPLAINED_AT_ONCE]
        themes = context.model.themes(part)[1]
        jsons += [
            orjson.dumps(raising(row, contributions, context.most))
            for row, contributions in zip(part, themes, strict=True)
        ]
    return jsons
