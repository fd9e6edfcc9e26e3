"""The programme over time, and the people behind each of its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from core import audit
from core.errors import FieldError, Invalid, phrase
from core.web.keyset import Slice, slice_of
from tenants.cohort import repository
from tenants.cohort.calendar import months_between
from tenants.cohort.indicators import LISTED, members
from tenants.cohort.selection import EVERYBODY, Selection, place_of
from tenants.cohort.service import cohort_settings, indicators_over_time
from tenants.cohort.so_far import covered_part
from tenants.cohort.status import STATUSES, last_transition, status_at
from tenants.cohort.timelines import FEMALE, MALE, day_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from core.web.paging import PageRequest
    from tenants.cohort.calendar import Period
    from tenants.cohort.repository import IndicatorChunk

MOST_PERIODS: Final = 24
_SEXES: Final = {FEMALE: "F", MALE: "M"}
_MONTHS: Final = 12


@dataclass(frozen=True, slots=True)
class CountedPerson:
    """A person who makes a count.

    Attributes:
        facility: DATIM id.
        as_of: the end of the period, or the data date if the records end before; all else is of this day.
        age: completed years; None where the birth is not recorded.
        since: the day of the status.
        viral_load: copies/mL, the latest of the 12 months to the day; None where there is none.
    """

    patient_id: UUID
    as_of: date
    facility: str
    sex: str | None
    age: int | None
    status: str
    since: date
    viral_load: float | None


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    """A person who makes the count, by the place in a chunk; ``since`` is the day of the status."""

    patient_id: UUID
    since: date
    chunk: IndicatorChunk
    place: int


def trend(session: TenantSession, periods: Sequence[Period], selection: Selection = EVERYBODY) -> list[dict[str, int]]:
    """The counts of each period, of the selected people, from one reading of the records."""
    return indicators_over_time(session, periods, (), selection)[1]


def read_people(
    session: TenantSession, indicator: str, period: Period, selection: Selection, paging: PageRequest
) -> Slice[CountedPerson]:
    """One page of the people behind a count of ``indicator_report``. The audit records the read of each.

    Args:
        session: the tenant's transaction.
        indicator: one of LISTED.
        period: the period of the count.
        selection: the group of the count.
        paging: the page; lists are sorted by ``since`` or ``patient_id``.

    Raises:
        Invalid: ``indicator`` does not count people, or the period begins after the data date.
    """
    check_indicator(indicator)
    period = covered_part(session, period)
    order = repository.facility_order(repository.facilities(session))
    part = slice_of(_members(session, indicator, period, selection, order), paging, "patient_id")
    people = [_person(member, period.end, order) for member in part.rows]
    facts = {"indicator": indicator, "start": period.start.isoformat(), "end": period.end.isoformat()}
    read = [person.patient_id for person in people]
    audit.record_many(session, "cohort:indicator_people:read", "patient", read, facts)
    return Slice(people, part.total, part.last)


def check_indicator(name: str) -> None:
    """Check that the people of a count can be listed.

    Raises:
        Invalid: they cannot.
    """
    if name not in LISTED:
        remedy = phrase("choose among {listed}", listed=", ".join(LISTED))
        problem = "names no count of people"
        raise Invalid("unknown indicator", remedy=remedy, errors=[FieldError("indicator", problem, remedy)])


def _members(
    session: TenantSession, indicator: str, period: Period, selection: Selection, order: Sequence[str]
) -> Iterator[_Member]:
    minimum_months = cohort_settings(session).pvls_minimum_months
    codes = place_of(selection.labels, order)
    for chunk in repository.indicator_chunks(session, [period.end]):
        places = members(indicator, chunk.moves, chunk.people[0], period.days, minimum_months, codes)
        if not places.size:
            continue
        # Whoever counts has a status, so there is a transition.
        since = chunk.moves.date[last_transition(chunk.moves, places, period.days[1])].astype("datetime64[D]")
        for place, day in zip(places.tolist(), since.tolist(), strict=True):
            yield _Member(repository.uuid_of(chunk.uuids[place]), day, chunk, place)


def _person(member: _Member, as_of: date, facilities: Sequence[str]) -> CountedPerson:
    people, at, end = member.chunk.people[0], member.place, day_number(as_of)
    months = int(months_between(people.birth[at], end))
    viral_load = float(people.viral_load[at])
    return CountedPerson(
        patient_id=member.patient_id,
        as_of=as_of,
        facility=facilities[int(people.facility[at])],
        sex=_SEXES.get(int(people.sex[at])),
        age=None if months < 0 else months // _MONTHS,
        status=STATUSES[int(status_at(member.chunk.moves, np.array([at]), end)[0])],
        since=member.since,
        viral_load=None if np.isnan(viral_load) else viral_load,
    )
