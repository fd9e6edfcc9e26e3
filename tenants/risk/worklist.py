"""Today's two lists, never mixed: people at risk of interrupting, and people past their expected contact, to be traced.

A list is cut to what a facility's trackers can do, and kept as it was issued: rank, score, cut-off, and later the
contacts made.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from core import audit
from core.clock import now
from core.errors import Conflict, Invalid
from core.tenancy import settings as tenant_settings
from tenants.cohort.service import cohort_settings
from tenants.records.ids import new_uuid
from tenants.risk import repository, serving, worklist_repository
from tenants.risk.failures import ModelFailed
from tenants.risk.models import Prediction, Worklist, WorklistEntry
from tenants.risk.reasons import reasons_of
from tenants.risk.schemas import MOST_DAYS
from tenants.risk.settings import RiskSettings
from tenants.risk.staleness import is_stale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from core.database import SessionOpener, TenantRef, TenantSession
    from core.web.paging import PageRequest

KINDS: Final = ("at_risk", "to_trace")
ISSUED_ANEW: Final = 2
"""How often a list is cut anew because its date was scored again meanwhile, before it gives up."""
MOST: Final = 10_000
"""Largest capacity per facility; a list that nobody can work through is no list."""


@dataclass(frozen=True, slots=True)
class Order:
    """Which list is asked for.

    Attributes:
        kind: ``at_risk`` or ``to_trace``.
        as_of: a date that was scored.
        capacity: people per facility.
        facility: only this one; None for all.
        due_within: of those at risk, only who is expected within so many days of the date; None for all.
    """

    kind: str
    as_of: date
    capacity: int
    facility: UUID | None = None
    due_within: int | None = None


def issue(tenant: TenantRef, open_session: SessionOpener, order: Order) -> UUID:
    """Cut the list and keep it; the same list of the same scoring is issued once.

    People who were scored without reasons are explained first, while no transaction is open.

    Raises:
        Conflict: the date was not scored yet, or is being scored again and again.
        Invalid: the capacity is not 1 to 10,000, or the kind is unknown.
    """
    _check(order)
    for _ in range(ISSUED_ANEW + 1):
        with open_session() as session:
            cut = _cut(session, order)
            before = worklist_repository.issued_before(session, cut.worklist)
            if before is not None:
                return before.uuid
        reasons, failure = _reasons(tenant, open_session, order, cut)
        with open_session() as session:
            repository.lock(session, "issue")
            now_cut = _cut(session, order)
            before = worklist_repository.issued_before(session, now_cut.worklist)
            if before is not None:
                return before.uuid
            if now_cut.worklist.scored_at == cut.worklist.scored_at:
                now_cut.worklist.note = " ".join(filter(None, (now_cut.worklist.note, failure))) or None
                return _keep(session, order, now_cut, reasons)
    detail = f"{order.as_of} was scored again while its list was made"
    raise Conflict(detail, remedy="issue the list again when the scoring has ended")


@dataclass(frozen=True, slots=True)
class _Cut:
    """A list as it would be issued now, and who is on it."""

    worklist: Worklist
    rows: Sequence[Prediction]
    rates: Mapping[str, Any]


def _cut(session: TenantSession, order: Order) -> _Cut:
    run = repository.run_of(session, order.as_of)
    if run is None or run.state != "done" or run.finished_at is None:
        failed = run is not None and run.state == "failed"
        detail = f"the scoring of {order.as_of} failed" if failed else f"{order.as_of} has not been scored"
        raise Conflict(detail, remedy=f"score {order.as_of} first")
    rows, everyone = worklist_repository.candidates(
        session, order.as_of, order.kind, order.facility, order.capacity, order.due_within
    )
    worklist = Worklist(
        uuid=new_uuid(),
        kind=order.kind,
        as_of=order.as_of,
        facility_uuid=order.facility,
        capacity=order.capacity,
        due_within=order.due_within,
        candidates=sum(everyone.values()),
        entries=len(rows),
        model_uuid=run.model_uuid,
        model_version=run.model_version,
        scored_at=run.finished_at,
        data_date=run.data_date,
        capacity_share=run.capacity_share,
        usual_risk=run.usual_risk if order.kind == "at_risk" else None,
        note=run.note,
        facilities=_facilities(session, order, rows, everyone),
        issued_by=session.actor,
        issued_at=now(),
    )
    return _Cut(worklist, rows, run.rates)


def _keep(session: TenantSession, order: Order, cut: _Cut, reasons: Mapping[UUID, list[dict[str, Any]]]) -> UUID:
    worklist = cut.worklist
    session.add(worklist)
    session.flush()
    session.add_all([_entry(worklist, row, place, reasons) for row, place in _placed(cut.rows)])
    session.flush()
    facts = {"kind": order.kind, "as_of": order.as_of.isoformat(), "capacity": order.capacity, "entries": len(cut.rows)}
    audit.record(session, "risk:worklist:issue", "worklist", worklist.uuid, facts)
    return worklist.uuid


def ordered(
    session: TenantSession,
    kind: str,
    as_of: date,
    *,
    capacity: int | None = None,
    facility: UUID | None = None,
    due_within: int | None = None,
) -> Order:
    """The list that is asked for, with the tenant's own capacity and horizon where none were given."""
    settings = tenant_settings.get(session, RiskSettings)
    if kind == "at_risk" and due_within is None:
        due_within = settings.horizon_days
    return Order(kind, as_of, settings.capacity if capacity is None else capacity, facility, due_within)


def read(
    session: TenantSession,
    uuid: UUID,
    *,
    identities: bool = False,
    paging: PageRequest | None = None,
    facility: UUID | None = None,
) -> tuple[Worklist, Sequence[WorklistEntry]]:
    """An issued list with its people: those of a page, of a facility, or all.

    That each of them was read, and with names or without, is recorded in the audit.
    """
    worklist = worklist_repository.get_worklist(session, uuid)
    people = worklist_repository.entries(session, uuid, paging, facility)
    audit.record_many(
        session,
        "risk:worklist:read",
        "patient",
        [entry.patient_uuid for entry in people],
        {"worklist": str(uuid), "identities": identities},
    )
    return worklist, people


def _check(order: Order) -> None:
    from core.errors import FieldError

    wrong = []
    if order.kind not in KINDS:
        wrong.append(FieldError("kind", f"{order.kind!r} is no list", f"choose one of {', '.join(KINDS)}"))
    if not 0 < order.capacity <= MOST:
        wrong.append(FieldError("capacity", "is the number of people per facility", f"give 1 to {MOST:,}"))
    if order.due_within is not None and order.kind != "at_risk":
        wrong.append(FieldError("due_within", "these people's contact is past", "leave it out, or ask for at_risk"))
    if order.due_within is not None and not 0 <= order.due_within <= MOST_DAYS:
        wrong.append(FieldError("due_within", "is a number of days ahead", f"give 0 to {MOST_DAYS}"))
    if wrong:
        raise Invalid("this list cannot be made", remedy=wrong[0].remedy, errors=wrong)


def _facilities(
    session: TenantSession, order: Order, rows: Sequence[Prediction], everyone: Mapping[UUID, int]
) -> list[dict[str, Any]]:
    """Of each facility on the list: how many there were, how many are listed, the cut-off; and which ones are stale."""
    limits = cohort_settings(session).completeness.stale_after_days
    found = []
    for fact in repository.facility_facts(session):
        if order.facility is not None and fact["uuid"] != order.facility:
            continue
        own = [row for row in rows if row.facility_uuid == fact["uuid"]]
        stale = is_stale(fact["complete_through"], order.as_of, limits)
        if not own and not stale:
            continue
        found.append(
            {
                "facility_uuid": str(fact["uuid"]),
                "datim_id": fact["datim_id"],
                "name": fact["name"],
                "candidates": everyone.get(fact["uuid"], 0),
                "listed": len(own),
                "cut_off": _score(own[-1]) if own else None,
                "complete_through": fact["complete_through"].isoformat() if fact["complete_through"] else None,
                "stale": stale,
            }
        )
    return found


def _placed(rows: Sequence[Prediction]) -> list[tuple[Prediction, int]]:
    """Each person's place on this list, from 1 at each facility; rows come by facility and rank."""
    places: Counter[UUID] = Counter()
    found = []
    for row in rows:
        places[row.facility_uuid] += 1
        found.append((row, places[row.facility_uuid]))
    return found


def _score(row: Prediction) -> float:
    """What the list is ordered by: the risk, or the days past the expected contact."""
    return float(row.days_late) if row.risk is None else row.risk


def _reasons(
    tenant: TenantRef, open_session: SessionOpener, order: Order, cut: _Cut
) -> tuple[dict[UUID, list[dict[str, Any]]], str | None]:
    """Reasons of everybody on the list, and why some have none; those not within the share are explained now."""
    if order.kind == "to_trace":
        return {row.patient_uuid: row.reasons or [_overdue(row)] for row in cut.rows}, None
    found = {row.patient_uuid: row.reasons for row in cut.rows if row.reasons is not None}
    missing = sorted(row.patient_uuid for row in cut.rows if row.reasons is None)
    if not missing:
        return found, None
    try:
        model = serving.by_uuid(tenant, open_session, cut.worklist.model_uuid)
        if model.version != cut.worklist.model_version:
            return found, _unexplained(missing, f"model {cut.worklist.model_version} does not serve at the moment")
        return found | reasons_of(open_session, missing, order.as_of, model, cut.rates), None
    except ModelFailed as error:
        return found, _unexplained(missing, error.detail)


def _unexplained(missing: Sequence[UUID], why: str) -> str:
    return f"{len(missing):,} people are listed without reasons: {why}."


def _overdue(row: Prediction) -> dict[str, Any]:
    state = "in IIT" if row.risk_level == "iit" else "late, not yet in IIT"
    days = f"{row.days_late} day" if row.days_late == 1 else f"{row.days_late} days"
    return {"theme": "overdue", "text": f"{days} past the expected contact, {state}", "contribution": None}


def _entry(
    worklist: Worklist, row: Prediction, place: int, reasons: Mapping[UUID, list[dict[str, Any]]]
) -> WorklistEntry:
    return WorklistEntry(
        uuid=new_uuid(),
        worklist_uuid=worklist.uuid,
        patient_uuid=row.patient_uuid,
        facility_uuid=row.facility_uuid,
        rank=place,
        expected_date=row.expected_date,
        days_late=row.days_late,
        score=_score(row),
        risk_level=row.risk_level,
        reasons=reasons.get(row.patient_uuid, []),
    )
