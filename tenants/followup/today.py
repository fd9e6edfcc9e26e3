"""Today's work: the people of the newest lists who still need an attempt, with their earlier attempts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql
from psycopg.rows import dict_row

from core import audit
from core.clock import today
from core.database import psycopg_connection, tenant_session
from core.errors import NotFound
from tenants.followup.repository import wrong_phones
from tenants.followup.team import covered_by
from tenants.followup.waiting import PAGE_SIZE, Clinic, Counts, Part, clinics_of, done_today, waiting_sql
from tenants.records.reach import within_reach_sql
from tenants.records.repository import completed_years
from tenants.risk import worklist, worklist_repository
from tenants.risk.identities import identities_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import date, datetime
    from uuid import UUID

    from core.database import SessionOpener, TenantRef, TenantSession
    from tenants.risk.identities import Identity

AT_RISK: Final = frozenset({"high", "medium", "low"})
"""The levels of people who are at risk; the others are late."""

_KEY: Final = sql.SQL("(e.rank, -e.score, e.uuid)")
_START: Final = sql.SQL("(%(rank)s::int, -%(score)s::float8, %(start)s::uuid)")
_PEOPLE: Final = sql.SQL("""
SELECT e.uuid AS entry, e.facility_uuid, who.uuid AS patient_uuid, f.datim_id, f.name AS clinic, e.expected_date,
  e.days_late, e.score, e.risk_level, e.reasons, p.sex, p.birthdate, last.outcome, last.outcome_date,
  last.promised_for, last.attempts, a.person_id AS assigned_to
{waiting} AND NOT rest.rests AND (%(start)s::uuid IS NULL OR {key} >= {start}) ORDER BY {key} LIMIT %(limit)s + 1
""")
_BEFORE: Final = sql.SQL("""
SELECT count(*), (array_agg(e.uuid ORDER BY {key} DESC))[%(limit)s] {waiting} AND NOT rest.rests AND {key} < {start}
""")
_PLACE: Final = "SELECT rank, score FROM worklist_entries WHERE uuid = %s AND worklist_uuid = %s"
_EQUALS: Final = sql.SQL("""
SELECT e.facility_uuid, e.score, count(*) FROM worklist_entries e
WHERE e.worklist_uuid = %(worklist)s AND e.facility_uuid = ANY(%(facilities)s) AND NOT e.held_out AND {reach}
GROUP BY e.facility_uuid, e.score HAVING count(*) > 1
""")


@dataclass(frozen=True, slots=True)
class Card:
    """One person of today's list.

    Attributes:
        age: age in completed years; None if the birth date is unknown.
        raising: the reasons that put the person on the list, strongest first; ``lowering`` speak against it.
        identity: name, phone and identifiers; None if the reader may not see them.
        attempts: number of attempts so far; ``last_outcome`` and ``last_day`` are those of the latest.
        wrong_phone_on: the day on which somebody recorded that the phone is wrong; None once there is a newer one.
        equals: number of other people of the same clinic on the list who have the same risk.
    """

    patient_id: UUID
    facility: str
    clinic: str
    sex: str | None
    age: int | None
    expected_date: date | None
    days_late: int
    score: float
    risk_level: str
    raising: Sequence[str]
    lowering: Sequence[str]
    identity: Identity | None
    attempts: int
    last_outcome: str | None
    last_day: date | None
    promised_for: date | None
    assigned_to: UUID | None = None
    equals: int = 0
    wrong_phone_on: date | None = None


@dataclass(frozen=True, slots=True)
class PagePlace:
    """The place of a page on its list. A page begins with an entry, not a number: recording shortens the list.

    Attributes:
        start: the entry with which the page begins; None for the beginning of the list.
        before: number of people who wait before the page.
        previous: the entry with which the page before begins; None for the beginning of the list.
        next: the entry with which the next page begins; None on the last page.
    """

    start: UUID | None = None
    before: int = 0
    previous: UUID | None = None
    next: UUID | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """How a list was cut to the capacity of its clinics when it was issued.

    Attributes:
        listed: people on the list; ``candidates`` are all who could be on it.
        capacity: the most people of each clinic.
        due_within: only people who are expected within this many days are candidates; None for all.
    """

    listed: int
    candidates: int
    capacity: int
    due_within: int | None

    @property
    def is_cut(self) -> bool:
        """Whether somebody is left out."""
        return self.listed < self.candidates


@dataclass(frozen=True, slots=True)
class Today:
    """One page of today's work.

    Attributes:
        day: today in the tenant's time zone.
        as_of: the scored day of the lists.
        data_date: the day to which the records run.
        usual_risk: the risk of an average person; None if unknown.
        capacity_share: the share of each facility's people at risk whose level is ``high``; None if unknown.
        clinics: the clinics of both lists, by kind of list, whichever is chosen.
        facility: DATIM id of the chosen facility; None for all.
        place: the place of the page on the list.
        cut: how the list was cut, at the chosen facility; None if no clinic of it is within reach.
        done: the number of people on today's lists who had an attempt today, at the chosen facility.
        shared_at: when the list was shared out among the officers, ``shared_by`` by whom; None: it was not.
    """

    kind: str
    day: date
    as_of: date
    data_date: date | None
    model_version: str
    usual_risk: float | None
    capacity_share: float | None
    clinics: Mapping[str, Sequence[Clinic]]
    people: Sequence[Card]
    facility: str | None = None
    place: PagePlace = PagePlace()
    cut: Cut | None = None
    done: int = 0
    shared_at: datetime | None = None
    shared_by: str | None = None

    def waiting(self, kind: str) -> int:
        """The number of people on a list who wait, at the chosen facility."""
        return Counts(self.day, self.clinics, self.done, self.facility).waiting(kind)


def read_today(
    tenant: TenantRef,
    open_session: SessionOpener,
    kind: str,
    *,
    facility: str | None = None,
    mine: UUID | None = None,
    start: UUID | None = None,
    identities: bool = False,
) -> Today | None:
    """A page of the newest list of a kind, without people who rest after an attempt; None before the first scoring.

    The first read issues the lists of the newest scored day. The audit records the read of each person on the page.

    Args:
        tenant: the tenant.
        open_session: opens transactions of the tenant.
        kind: ``at_risk`` or ``to_trace``.
        facility: DATIM id of a facility; None for all.
        mine: a person: only patients who are assigned to them or to nobody; None for all.
        start: the entry with which the page begins. If nobody waits from there on, or a newer list was issued since,
            the page is the first one.
        identities: whether to show names, phones and identifiers.
    """
    issued_lists = _issued(tenant, open_session)
    if issued_lists is None:
        return None
    day, as_of, lists = issued_lists
    with open_session() as session:
        part = Part(day, facility, mine, covered_by(session, mine, day))
        issued = worklist_repository.as_issued(session, lists[kind])
        people, place = _page(session, issued.uuid, part, start, identities=identities)
        return Today(
            kind=kind,
            day=day,
            as_of=as_of,
            data_date=issued.data_date,
            model_version=issued.model_version,
            usual_risk=issued.usual_risk,
            capacity_share=None if issued.capacity_share is None else float(issued.capacity_share),
            clinics=_clinics(session, lists, part),
            people=people,
            facility=facility,
            place=place,
            cut=_cut(session, issued.uuid, facility),
            done=done_today(session, as_of, part),
            shared_at=issued.shared_at,
            shared_by=issued.shared_by,
        )


def read_counts(
    tenant: TenantRef, open_session: SessionOpener, *, facility: str | None = None, mine: UUID | None = None
) -> Counts | None:
    """The numbers of ``read_today`` without its people; None before the first scoring."""
    issued_lists = _issued(tenant, open_session)
    if issued_lists is None:
        return None
    day, as_of, lists = issued_lists
    with open_session() as session:
        part = Part(day, facility, mine, covered_by(session, mine, day))
        return Counts(day, _clinics(session, lists, part), done_today(session, as_of, part), facility)


def _issued(tenant: TenantRef, open_session: SessionOpener) -> tuple[date, date, dict[str, UUID]] | None:
    """Today, the newest scored day, and its lists by kind, issued if they were not; None before the first scoring."""
    with open_session() as session:
        day = today(session.tenant.time_zone)
        as_of = worklist_repository.newest_scored_day(session)
        if as_of is None:
            return None
        orders = {name: worklist.order_for(session, name, as_of) for name in worklist.KINDS}
        actor, request_id = session.actor, session.request_id

    def whole_tenant() -> AbstractContextManager[TenantSession]:
        """Open a transaction of the whole tenant: a list has all facilities, even if its reader reaches only some."""
        return tenant_session(tenant, actor=actor, request_id=request_id)

    return day, as_of, {name: worklist.issue(tenant, whole_tenant, order) for name, order in orders.items()}


def _clinics(session: TenantSession, lists: Mapping[str, UUID], part: Part) -> dict[str, list[Clinic]]:
    """The clinics of both lists, whichever is chosen."""
    return {name: clinics_of(session, uuid, replace(part, facility=None)) for name, uuid in lists.items()}


def _page(
    session: TenantSession, worklist_id: UUID, part: Part, start: UUID | None, *, identities: bool
) -> tuple[list[Card], PagePlace]:
    """The cards of a page, and its place; the first page if nobody waits from ``start`` on."""
    values = part.values(worklist_id) | {"start": None, "rank": None, "score": None}
    pieces = {"waiting": waiting_sql(session), "key": _KEY, "start": _START}
    with psycopg_connection(session).cursor() as cursor:
        place = None if start is None else cursor.execute(_PLACE, (start, worklist_id)).fetchone()
    if place is not None:
        values |= {"start": start, "rank": place[0], "score": place[1]}
    with psycopg_connection(session).cursor(row_factory=dict_row) as cursor:
        rows: list[dict[str, Any]] = cursor.execute(_PEOPLE.format(**pieces), values).fetchall()
    if place is not None and not rows:
        return _page(session, worklist_id, part, None, identities=identities)
    before, previous = 0, None
    if place is not None:
        with psycopg_connection(session).cursor() as cursor:
            before, previous = cursor.execute(_BEFORE.format(**pieces), values).fetchall()[0]
    following = rows[PAGE_SIZE]["entry"] if len(rows) > PAGE_SIZE else None
    cards = _people(session, worklist_id, rows[:PAGE_SIZE], part.day, identities=identities)
    return cards, PagePlace(values["start"], before, previous, following)


def _people(
    session: TenantSession, worklist_id: UUID, rows: Sequence[Mapping[str, Any]], day: date, *, identities: bool
) -> list[Card]:
    patients = [row["patient_uuid"] for row in rows]
    names = identities_of(session, patients) if identities else {}
    wrong = wrong_phones(session, patients) if identities else {}
    equals = _equals(session, worklist_id, {row["facility_uuid"] for row in rows})
    facts = {"worklist": str(worklist_id), "identities": identities}
    audit.record_many(session, "followup:today:read", "patient", patients, facts)
    return [
        replace(
            _card(row, day, names.get(row["patient_uuid"]), equals.get((row["facility_uuid"], row["score"]), 1) - 1),
            wrong_phone_on=wrong.get(row["patient_uuid"]),
        )
        for row in rows
    ]


def _equals(session: TenantSession, worklist_id: UUID, facilities: set[UUID]) -> dict[tuple[UUID, float], int]:
    """Facility and score -> number of people of the list who have both, if there are several."""
    query = _EQUALS.format(reach=within_reach_sql(session, "e.facility_uuid", "e.patient_uuid"))
    with session.cursor() as cursor:
        rows = cursor.execute(query, {"worklist": worklist_id, "facilities": sorted(facilities)}).fetchall()
    return {(facility, score): count for facility, score, count in rows}


def _cut(session: TenantSession, worklist_id: UUID, facility: str | None) -> Cut | None:
    try:
        head = worklist_repository.get_worklist(session, worklist_id)
    except NotFound:
        return None
    clinics = [clinic for clinic in head.facilities if facility in (None, clinic["datim_id"])]
    listed, candidates = (sum(clinic[name] for clinic in clinics) for name in ("listed", "candidates"))
    return Cut(listed, candidates, head.capacity, head.due_within)


def _card(row: Mapping[str, Any], day: date, identity: Identity | None, equals: int) -> Card:
    reasons = [(reason["text"], reason["contribution"]) for reason in row["reasons"] or []]
    return Card(
        patient_id=row["patient_uuid"],
        facility=row["datim_id"],
        clinic=row["clinic"],
        sex=row["sex"],
        age=None if row["birthdate"] is None else completed_years(row["birthdate"], day),
        expected_date=row["expected_date"],
        days_late=row["days_late"],
        score=row["score"],
        risk_level=row["risk_level"],
        raising=[text for text, contribution in reasons if contribution is None or contribution > 0],
        lowering=[text for text, contribution in reasons if contribution is not None and contribution < 0],
        identity=identity,
        attempts=row["attempts"] or 0,
        last_outcome=row["outcome"],
        last_day=row["outcome_date"],
        promised_for=row["promised_for"],
        assigned_to=row["assigned_to"],
        equals=equals if row["risk_level"] in AT_RISK else 0,
    )
