"""The partner's own status beside ours: who differs on the day of a RADET, and the most likely reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from core.errors import FieldError, Invalid, NotFound
from tenants.cohort import radet_repository as repository
from tenants.cohort.load import load_timelines
from tenants.cohort.service import cohort_settings
from tenants.cohort.status import STATUSES, status_at, transitions
from tenants.cohort.timelines import NO_DAY, PICKUP, Timelines, day_number, snapshot, to_date
from tenants.cohort.waiting import waiting
from tenants.records.identities import merged_into

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from tenants.cohort.radet_repository import Listed
    from tenants.cohort.settings import CohortSettings

DAYS_A_MONTH: Final = 30
NOT_ON_LIST: Final = "not_on_list"
_OURS: Final = {"active_restart": "active"}
"""Statuses of the partner that are one of ours under another name; the others are called alike."""
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
    "contact_not_readable": "a contact of the person cannot be read in a list, so that the records do not say",
    "left_only_on_list": "the list has a death, transfer, stop or invalid record that the records do not have then",
    "left_only_in_records": "the records have a death, transfer, stop or invalid record that the list does not have",
    "not_started_in_records": "the records know of no treatment by that day",
    "not_on_list": "the records have the person on treatment, the list does not name them",
    "not_in_records": "the person is on the list, and no longer on record",
    "status_not_understood": "the list's word for the status is not known",
    "status_does_not_follow": "list and records expect the person on the same day: another status follows from it",
    "expected_day_differs": "list and records expect the person on different days",
}
"""Why the two differ, by code. Each is what fits best, not what was proved."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A patient of whom list and records say different things.

    Attributes:
        theirs: the partner's status, or ``not_on_list``.
        ours: of what was known on the day.
        last_pickup: of the list; ``last_contact`` and ``expected`` are of the records.
    """

    patient_uuid: UUID
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
    """A RADET against the records on its day.

    Attributes:
        counts: people by facility, partner's status and ours.
        grace_days: what ours follows.
    """

    data_date: date
    facilities: list[str]
    grace_days: int
    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)

    @property
    def compared(self) -> int:
        """People on the list."""
        return sum(count for (_, theirs, _), count in self.counts.items() if theirs != NOT_ON_LIST)

    @property
    def agreed(self) -> int:
        """People on the list of whom both say the same."""
        return sum(count for (_, theirs, ours), count in self.counts.items() if same(theirs, ours))

    @property
    def reasons(self) -> dict[str, int]:
        """How often each reason was met, the most frequent first."""
        return dict(Counter(found.reason for found in self.disagreements).most_common())


def same(theirs: str, ours: str) -> bool:
    """Whether the partner's status is ours."""
    return _OURS.get(theirs, theirs) == ours


def chosen_day(session: TenantSession, data_date: date | None, name: str = "data_date") -> date:
    """The day of a RADET that was asked for, or of the newest.

    Raises:
        NotFound: no RADET of that day was imported.
    """
    days = sorted({item.data_date for item in repository.listed_days(session)}, reverse=True)
    if not days or (data_date is not None and data_date not in days):
        known = f"; there are: {', '.join(map(str, days[:6]))}" if days else ""
        detail = f"no RADET of {data_date} was imported" if data_date else "no RADET was imported"
        raise NotFound(f"{detail}{known}", remedy=f"give {name} the data date of one, or import it first")
    return data_date or days[0]


def compare(session: TenantSession, data_date: date, datim_ids: Sequence[str] | None = None) -> Comparison:
    """Compare the partner's statuses with ours at the end of the list's day, of what was known then.

    People of the list's facilities whom it does not name count where the records have them on treatment. Everybody who
    differs is in the answer; memory grows with the list, not with the history.

    Args:
        session: the tenant's transaction.
        data_date: the day of the list.
        datim_ids: only these facilities.

    Raises:
        Invalid: a facility is on no list of that day.
    """
    rules = cohort_settings(session)
    facilities = repository.listed_facilities(session, data_date, datim_ids)
    for datim_id in datim_ids or ():
        if datim_id not in facilities.values():
            remedy = "give the DATIM id of a facility on the list"
            problem = "no RADET of that day has this facility"
            raise Invalid(problem, remedy=remedy, errors=[FieldError("facility", problem, remedy)])
    found = Comparison(data_date, list(facilities.values()), rules.grace_days)
    theirs = _people_listed(session, repository.listed(session, data_date, datim_ids))
    left = set(theirs)
    for chunk in load_timelines(session, facility_uuids=list(facilities)):
        for person in _people(chunk, rules, day_number(data_date)):
            left.discard(person.uuid)
            _add(found, person, theirs.get(person.uuid), facilities, rules)
    for uuid in sorted(left):
        row = theirs[uuid]
        place = facilities[row.facility]
        found.counts[place, row.status, "none"] += 1
        found.disagreements.append(
            Disagreement(
                uuid, place, row.status, "none", "not_in_records", row.last_pickup, row.days_supplied, None, None
            )
        )
    return found


def _people_listed(session: TenantSession, rows: dict[UUID, Listed]) -> dict[UUID, Listed]:
    """The list's rows by person: records merged into another count under it, a person recorded twice once."""
    merged = merged_into(session, rows)
    found = {uuid: row for uuid, row in rows.items() if uuid not in merged}
    for uuid, canonical in sorted(merged.items()):
        if uuid in rows:
            found.setdefault(canonical, rows[uuid])
    return found


@dataclass(frozen=True, slots=True)
class _Person:
    """What the records know of a patient on the day; days are numbers, NO_DAY where there is none."""

    uuid: UUID
    facility: UUID
    status: str
    day: int
    contact: int
    expected: int
    supply: int
    """Days handed out at the last pick-up, 0 where not known."""


def _people(chunk: Timelines, rules: CohortSettings, day: int) -> Iterator[_Person]:
    everyone = np.arange(len(chunk))
    seen = snapshot(chunk, everyone, day)
    status = status_at(transitions(seen, rules), everyone, day)
    _, expected = waiting(seen, rules)
    contacts = seen.contacts
    last = np.full(len(chunk), NO_DAY, dtype=np.int64)
    supply = np.zeros(len(chunk), dtype=np.int64)
    owner = contacts.owner
    # Rows of a patient are in order of their days: the last one written stands.
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
    found: Comparison, person: _Person, row: Listed | None, facilities: dict[UUID, str], rules: CohortSettings
) -> None:
    theirs = NOT_ON_LIST if row is None else row.status
    if row is None and person.status not in ("active", "iit"):
        return
    place = facilities[person.facility if row is None else row.facility]
    found.counts[place, theirs, person.status] += 1
    if same(theirs, person.status):
        return
    found.disagreements.append(
        Disagreement(
            patient_uuid=person.uuid,
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


def _reason(person: _Person, row: Listed, grace: int) -> str:
    if row.status == "unknown":
        return "status_not_understood"
    if person.status == "none":
        return "not_started_in_records"
    if person.status in _LEFT or row.status in _LEFT:
        return "left_only_in_records" if person.status in _LEFT else "left_only_on_list"
    if person.status == "unknown":
        return "contact_not_readable"
    listed = NO_DAY if row.last_pickup is None else day_number(row.last_pickup)
    judge = _lost_here if person.status == "iit" else _lost_there
    return judge(person, row, listed, grace)


def _lost_here(person: _Person, row: Listed, listed: int, grace: int) -> str:
    """They say on treatment, we say IIT."""
    if listed > person.contact:
        return "pickup_not_in_records"
    if person.expected + grace + 1 == person.day:
        return "day_boundary"
    if 0 < person.supply <= _MONTHS_AT_MOST and person.contact + person.supply * DAYS_A_MONTH + grace >= person.day:
        return "months_read_as_days"
    if row.days_supplied is not None and listed + row.days_supplied > person.expected:
        return "appointment_earlier"
    return _same_or_another_day(person, row, listed)


def _lost_there(person: _Person, row: Listed, listed: int, grace: int) -> str:
    """They say IIT, we say on treatment."""
    if person.contact > listed:
        return "contact_not_on_list"
    if person.expected + grace == person.day:
        return "day_boundary"
    if person.supply > 0 and person.contact + person.supply // DAYS_A_MONTH + grace < person.day <= (
        person.contact + person.supply + grace
    ):
        return "days_read_as_months"
    if row.days_supplied is not None and listed + row.days_supplied < person.expected:
        return "appointment_later"
    return _same_or_another_day(person, row, listed)


def _same_or_another_day(person: _Person, row: Listed, listed: int) -> str:
    if row.days_supplied is not None and listed + row.days_supplied == person.expected:
        return "status_does_not_follow"
    return "expected_day_differs"
