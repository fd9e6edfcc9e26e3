"""Compare a RADET's statuses with the records: who differs on the list's day, and the most likely reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from core import audit
from core.errors import FieldError, Invalid, NotFound, phrase
from core.web.keyset import slice_of
from tenants.cohort import radet_repository as repository
from tenants.cohort.load import load_timelines
from tenants.cohort.service import cohort_settings
from tenants.cohort.status import STATUSES, status_at, transitions
from tenants.cohort.timelines import NO_DAY, PICKUP, Timelines, day_number, snapshot, to_date
from tenants.cohort.waiting import waiting
from tenants.records.identities import merged_into
from tenants.records.reach import patients_within_reach

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from core.web.keyset import Slice
    from core.web.paging import PageRequest
    from tenants.cohort.radet_repository import ListedPatient
    from tenants.cohort.settings import CohortSettings

DAYS_A_MONTH: Final = 30
NOT_ON_LIST: Final = "not_on_list"
_OURS: Final = {"active_restart": "active"}
"""The partner's statuses that have another name with us; the others have the same name."""
_MONTHS_AT_MOST: Final = 12
_LEFT: Final = frozenset({"died", "transferred_out", "stopped", "invalid"})

REASONS: Final[dict[str, str]] = {
    "months_read_as_days": "the last pick-up's supply fits the partner's status if its days are months",
    "days_read_as_months": "the last pick-up's supply fits the partner's status if its months are days",
    "pickup_not_in_records": "the list has a later pick-up than the records",
    "contact_not_on_list": "the records have a later contact than the list's last pick-up",
    "appointment_later": "the records expect the person later than the list's supply lasts",
    "appointment_earlier": "the records expect the person earlier than the list's supply lasts",
    "day_boundary": "the day of IIT and the day of the list are one day apart",
    "contact_not_readable": "the list has an unreadable contact of the person, so the records cannot know the status",
    "left_only_on_list": "the list has a death, transfer, stop or invalid record that the records do not have then",
    "left_only_in_records": "the records have a death, transfer, stop or invalid record that the list does not have",
    "not_started_in_records": "the records have no treatment by that day",
    "not_on_list": "the records have the person on treatment, but the list does not name the person",
    "not_in_records": "the person is on the list, but no longer on record",
    "status_not_understood": "the platform does not know the list's word for the status",
    "status_does_not_follow": "list and records expect the person on the same day: another status follows from it",
    "expected_day_differs": "list and records expect the person on different days",
}
"""Why list and records differ, by code. Each is the reason that fits best, not a proof."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A patient whose status differs between the list and the records.

    Attributes:
        theirs: the partner's status, or ``not_on_list``.
        ours: the status in the records, from what was known on the day.
        last_pickup: the last pick-up on the list; ``last_contact`` and ``expected`` come from the records.
    """

    patient_id: UUID
    facility: str
    theirs: str
    ours: str
    reason: str
    last_pickup: date | None
    days_supplied: int | None
    last_contact: date | None
    expected: date | None


@dataclass(slots=True)
class Comparison:
    """The comparison of a RADET with the records on its day.

    Attributes:
        counts: people by facility, partner's status and ours.
        grace_days: the grace that our status follows.
    """

    data_date: date
    facilities: list[str]
    grace_days: int
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)

    @property
    def compared(self) -> int:
        """The number of people on the list."""
        return sum(count for (_, theirs, _), count in self.counts.items() if theirs != NOT_ON_LIST)

    @property
    def agreements(self) -> int:
        """The number of people on the list with the same status in the records."""
        return sum(count for (_, theirs, ours), count in self.counts.items() if same(theirs, ours))

    @property
    def reasons(self) -> dict[str, int]:
        """The number of disagreements by reason, the most frequent first."""
        return dict(Counter(disagreement.reason for disagreement in self.disagreements).most_common())


def same(theirs: str, ours: str) -> bool:
    """Whether the partner's status means the same as ours."""
    return _OURS.get(theirs, theirs) == ours


def chosen_day(
    session: TenantSession, data_date: date | None, name: str = "data_date", *, by_query: bool = False
) -> date:
    """The day of the requested RADET, or of the newest.

    Args:
        session: the tenant's transaction.
        data_date: the day; None for the newest.
        name: what the caller names the day, for the error.
        by_query: whether the day came in a query, so that an unknown one is 422 instead of 404.

    Raises:
        NotFound: no RADET of that day was imported.
        Invalid: the same, of a day in a query.
    """
    days = sorted({item.data_date for item in repository.listed_days(session)}, reverse=True)
    if not days or (data_date is not None and data_date not in days):
        detail = (
            phrase("no RADET of {data_date} was imported", data_date=data_date)
            if data_date
            else phrase("no RADET was imported")
        )
        remedy = phrase("give {name} the data date of one, or import it first", name=name)
        problem = detail
        if days:
            problem = phrase("{what}; there are: {listed}", what=detail, listed=", ".join(map(str, days[:6])))
        if by_query:
            raise Invalid(problem, remedy=remedy, errors=[FieldError(name, detail, remedy)])
        raise NotFound(problem, remedy=remedy)
    return data_date or days[0]


def compare(session: TenantSession, data_date: date, datim_ids: Sequence[str] | None = None) -> Comparison:
    """Compare the partner's statuses with ours at the end of the list's day, from what was known then.

    People at the list's facilities who are not on the list count if the records have them on treatment. The answer
    has everybody who differs; memory grows with the list, not with the history.

    Args:
        session: the tenant's transaction.
        data_date: the day of the list.
        datim_ids: only these facilities.

    Raises:
        Invalid: a facility has no list of that day.
    """
    rules = cohort_settings(session)
    facilities = repository.listed_facilities(session, data_date, datim_ids)
    _require_listed(datim_ids, facilities.values())
    comparison = Comparison(data_date, list(facilities.values()), rules.grace_days)
    theirs = _people_listed(session, repository.list_rows(session, data_date, datim_ids))
    uuids_left = set(theirs)
    for chunk in load_timelines(session, facility_uuids=list(facilities)):
        for person in _people(chunk, rules, day_number(data_date)):
            uuids_left.discard(person.uuid)
            _add(comparison, person, theirs.get(person.uuid), facilities, rules)
    for uuid in sorted(patients_within_reach(session, uuids_left)):
        row = theirs[uuid]
        place = facilities[row.facility]
        comparison.counts[place, row.status, "none"] += 1
        comparison.disagreements.append(
            Disagreement(
                uuid, place, row.status, "none", "not_in_records", row.last_pickup, row.days_supplied, None, None
            )
        )
    return comparison


def read_disagreements(
    session: TenantSession, comparison: Comparison, reason: str | None, paging: PageRequest
) -> Slice[Disagreement]:
    """One page of the disagreements with a reason (None: all). The audit records the read.

    Raises:
        Invalid: there is no such reason.
    """
    if reason is not None and reason not in REASONS:
        problem, remedy = "names no reason", phrase("choose among {listed}", listed=", ".join(REASONS))
        raise Invalid("unknown reason", remedy=remedy, errors=[FieldError("reason", problem, remedy)])
    chosen = (item for item in comparison.disagreements if reason in (None, item.reason))
    part = slice_of(chosen, paging, "patient_id")
    facts = {"data_date": comparison.data_date.isoformat()}
    patients = [item.patient_id for item in part.rows]
    audit.record_many(session, "api:radet_disagreements:read", "patient", patients, facts)
    return part


def flows(
    session: TenantSession, start: date, end: date, datim_ids: Sequence[str] | None = None
) -> list[tuple[str, str, str, int]]:
    """How many people changed from one status to another between two lists: facility, from, to, people.

    Raises:
        Invalid: the later list does not have one of the facilities.
    """
    _require_listed(datim_ids, repository.listed_facilities(session, end, datim_ids).values())
    return repository.flows(session, start, end, datim_ids)


def _require_listed(datim_ids: Sequence[str] | None, listed: Collection[str]) -> None:
    if set(datim_ids or ()) - set(listed):
        problem, remedy = "no RADET of that day has this facility", "give the DATIM id of a facility on the list"
        raise Invalid(problem, remedy=remedy, errors=[FieldError("facility", problem, remedy)])


def _people_listed(session: TenantSession, rows: dict[UUID, ListedPatient]) -> dict[UUID, ListedPatient]:
    """Return the list's rows by person.

    A row of a merged record counts for the person it was merged into, and a person with two rows counts once.
    """
    canonical_of = merged_into(session, rows)
    within = patients_within_reach(session, set(canonical_of.values()))
    canonical_of = {uuid: canonical for uuid, canonical in canonical_of.items() if canonical in within}
    rows_by_person = {uuid: row for uuid, row in rows.items() if uuid not in canonical_of}
    for uuid, canonical in sorted(canonical_of.items()):
        if uuid in rows:
            rows_by_person.setdefault(canonical, rows[uuid])
    return rows_by_person


@dataclass(frozen=True, slots=True)
class _Person:
    """A patient's state in the records on the day. Days are day numbers; NO_DAY means that there is none."""

    uuid: UUID
    facility: UUID
    status: str
    day: int
    contact: int
    expected: int
    supply: int
    """Days of supply of the last pick-up, 0 where unknown."""


def _people(chunk: Timelines, rules: CohortSettings, day: int) -> Iterator[_Person]:
    everyone = np.arange(len(chunk))
    day_snapshot = snapshot(chunk, everyone, day)
    status = status_at(transitions(day_snapshot, rules), everyone, day)
    _, expected = waiting(day_snapshot, rules)
    contacts = day_snapshot.contacts
    last = np.full(len(chunk), NO_DAY, dtype=np.int64)
    supply = np.zeros(len(chunk), dtype=np.int64)
    owner = contacts.owner
    # Rows of a patient are in order of their days, so the last write of the loop wins.
    last[owner] = contacts.date
    picked = (contacts.kind & PICKUP) != 0
    supply[owner[picked]] = contacts.days_supplied[picked]
    for at in range(len(chunk)):
        yield _Person(
            uuid=chunk.patient_uuid[at],
            facility=chunk.facilities[int(chunk.facility[at])],
            status=STATUSES[int(status[at])],
            day=day,
            contact=int(last[at]),
            expected=int(expected[at]),
            supply=int(supply[at]),
        )


def _add(
    comparison: Comparison,
    person: _Person,
    row: ListedPatient | None,
    facilities: dict[UUID, str],
    rules: CohortSettings,
) -> None:
    theirs = NOT_ON_LIST if row is None else row.status
    if row is None and person.status not in ("active", "iit"):
        return
    place = facilities[person.facility if row is None else row.facility]
    comparison.counts[place, theirs, person.status] += 1
    if same(theirs, person.status):
        return
    comparison.disagreements.append(
        Disagreement(
            patient_id=person.uuid,
            facility=place,
            theirs=theirs,
            ours=person.status,
            reason=NOT_ON_LIST if row is None else _reason(person, row, rules.grace_days),
            last_pickup=row.last_pickup if row else None,
            days_supplied=row.days_supplied if row else None,
            last_contact=to_date(person.contact),
            expected=to_date(person.expected),
        )
    )


def _reason(person: _Person, row: ListedPatient, grace: int) -> str:
    if row.status == "unknown":
        return "status_not_understood"
    if person.status == "none":
        return "not_started_in_records"
    if person.status in _LEFT or row.status in _LEFT:
        return "left_only_in_records" if person.status in _LEFT else "left_only_on_list"
    if person.status == "unknown":
        return "contact_not_readable"
    list_pickup = NO_DAY if row.last_pickup is None else day_number(row.last_pickup)
    judge = _iit_in_records_only if person.status == "iit" else _iit_on_list_only
    return judge(person, row, list_pickup, grace)


def _iit_in_records_only(person: _Person, row: ListedPatient, list_pickup: int, grace: int) -> str:
    """The likely reason if the list says that the person is on treatment, and the records say IIT."""
    if list_pickup > person.contact:
        return "pickup_not_in_records"
    if person.expected + grace + 1 == person.day:
        return "day_boundary"
    if 0 < person.supply <= _MONTHS_AT_MOST and person.contact + person.supply * DAYS_A_MONTH + grace >= person.day:
        return "months_read_as_days"
    if row.days_supplied is not None and list_pickup + row.days_supplied > person.expected:
        return "appointment_earlier"
    return _same_or_another_day(person, row, list_pickup)


def _iit_on_list_only(person: _Person, row: ListedPatient, list_pickup: int, grace: int) -> str:
    """The likely reason if the list says IIT, and the records say that the person is on treatment."""
    if person.contact > list_pickup:
        return "contact_not_on_list"
    if person.expected + grace == person.day:
        return "day_boundary"
    if person.supply > 0 and person.contact + person.supply // DAYS_A_MONTH + grace < person.day <= (
        person.contact + person.supply + grace
    ):
        return "days_read_as_months"
    if row.days_supplied is not None and list_pickup + row.days_supplied < person.expected:
        return "appointment_later"
    return _same_or_another_day(person, row, list_pickup)


def _same_or_another_day(person: _Person, row: ListedPatient, list_pickup: int) -> str:
    if row.days_supplied is not None and list_pickup + row.days_supplied == person.expected:
        return "status_does_not_follow"
    return "expected_day_differs"
