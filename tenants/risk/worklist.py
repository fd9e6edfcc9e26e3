"""Today's two lists, never mixed: people at risk of interrupting, and people to be traced.

A list is cut to the capacity of a facility's trackers, and stored as issued: rank, score, cut-off, and later the
contacts made.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from core import audit
from core.clock import now
from core.errors import Conflict, Invalid, phrase
from core.events import publish
from core.tenancy import settings as tenant_settings
from core.web.keyset import Slice
from tenants.cohort.service import cohort_settings
from tenants.records.ids import new_uuid
from tenants.risk import holdout, repository, serving, worklist_repository
from tenants.risk.failures import ModelFailed
from tenants.risk.models import Prediction, Worklist, WorklistEntry
from tenants.risk.reasons import reasons_of
from tenants.risk.schemas import MOST_DAYS
from tenants.risk.settings import RiskSettings
from tenants.risk.staleness import is_stale

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from core.database import SessionOpener, TenantRef, TenantSession
    from core.web.paging import PageRequest

KINDS: Final = ("at_risk", "to_trace")
ISSUED_ANEW: Final = 2
"""The most attempts to cut a list whose date is scored again in the meantime."""
MOST: Final = 10_000
"""The largest capacity per facility. Nobody can work through a longer list."""


@dataclass(frozen=True, slots=True)
class Order:
    """The list to issue.

    Attributes:
        kind: ``at_risk`` or ``to_trace``.
        as_of: a date with scores.
        capacity: people per facility.
        facility: only this facility; None for all.
        due_within: on the list at risk, only people expected within this many days of the date; None for all.
    """

    kind: str
    as_of: date
    capacity: int
    facility: UUID | None = None
    due_within: int | None = None


def issue(tenant: TenantRef, open_session: SessionOpener, order: Order) -> UUID:
    """Issue the list: cut it, and store it. The same list of the same scoring is issued once.

    People who were scored without reasons are explained first, while no transaction is open.

    Raises:
        Conflict: the date has no scores yet, or was scored again and again meanwhile.
        Invalid: the capacity is not 1 to 10,000, or the kind is unknown.
    """
    _check(order)
    for _ in range(ISSUED_ANEW + 1):
        with open_session() as session:
            head, rates = _head(session, order)
            before = worklist_repository.issued_before(session, head)
            if before is not None:
                return before.uuid
            draft = _cut(session, order, head, rates)
        reasons, failure = _reasons(tenant, open_session, order, draft)
        with open_session() as session:
            repository.lock(session, "issue")
            head, rates = _head(session, order)
            before = worklist_repository.issued_before(session, head)
            if before is not None:
                return before.uuid
            if head.scored_at == draft.worklist.scored_at:
                now_cut = _cut(session, order, head, rates)
                now_cut.worklist.note = " ".join(filter(None, (now_cut.worklist.note, failure))) or None
                return _store(session, order, now_cut, reasons)
    detail = phrase("{as_of} was scored again while its list was made", as_of=order.as_of)
    raise Conflict(detail, remedy="issue the list again when the scoring has ended")


@dataclass(frozen=True, slots=True)
class _Draft:
    """A list as it would be issued now, with its people and their ranks."""

    worklist: Worklist
    placed: Sequence[tuple[Prediction, int]]
    rates: Mapping[str, Any]
    held_out: Collection[UUID]


def _head(session: TenantSession, order: Order) -> tuple[Worklist, Mapping[str, Any]]:
    """The list without its people, whom ``_cut`` adds, and the facility rates of its scoring."""
    run = repository.run_of(session, order.as_of)
    if run is None or run.state != "done" or run.finished_at is None:
        failed = run is not None and run.state == "failed"
        detail = (
            phrase("the scoring of {as_of} failed", as_of=order.as_of)
            if failed
            else phrase("{as_of} has not been scored", as_of=order.as_of)
        )
        raise Conflict(detail, remedy=phrase("score {as_of} first", as_of=order.as_of))
    head = Worklist(
        uuid=new_uuid(),
        kind=order.kind,
        as_of=order.as_of,
        facility_uuid=order.facility,
        capacity=order.capacity,
        due_within=order.due_within,
        candidates=0,
        entries=0,
        model_uuid=run.model_uuid,
        model_version=run.model_version,
        scored_at=run.finished_at,
        data_date=run.data_date,
        capacity_share=run.capacity_share,
        usual_risk=run.usual_risk if order.kind == "at_risk" else None,
        note=run.note,
        issued_by=session.actor,
        issued_at=now(),
    )
    return head, run.rates


def _cut(session: TenantSession, order: Order, head: Worklist, rates: Mapping[str, Any]) -> _Draft:
    """The list with the people who are within its capacity now."""
    approval = holdout.in_force(session) if order.kind == "at_risk" else None
    places = order.capacity if approval is None else holdout.places(order.capacity)
    rows, everyone = worklist_repository.candidates(
        session, order.as_of, order.kind, order.facility, places, order.due_within
    )
    drawn = {row.uuid for row in rows if holdout.is_held_out(approval, row.patient_uuid, row.expected_date)}
    placed = _placed(rows, drawn, order.capacity)
    shown = [row for row, _ in placed if row.uuid not in drawn]
    held_out = {row.uuid: row.facility_uuid for row, _ in placed if row.uuid in drawn}
    # Without those held out, as if they were no candidates: a reader could count them otherwise.
    candidates = Counter(everyone)
    candidates.subtract(held_out.values())
    head.candidates, head.entries, head.held_out = candidates.total(), len(shown), len(held_out)
    head.facilities = _facilities(session, order, shown, candidates)
    return _Draft(head, placed, rates, held_out)


def _store(session: TenantSession, order: Order, draft: _Draft, reasons: Mapping[UUID, list[dict[str, Any]]]) -> UUID:
    worklist = draft.worklist
    session.add(worklist)
    session.flush()
    for row, place in draft.placed:
        entry = _entry(worklist, row, place, reasons)
        entry.held_out = row.uuid in draft.held_out
        session.add(entry)
    session.flush()
    facts = {
        "kind": order.kind,
        "as_of": order.as_of.isoformat(),
        "capacity": order.capacity,
        "entries": worklist.entries,
        "held_out": worklist.held_out,
    }
    audit.record(session, "risk:worklist:issue", "worklist", worklist.uuid, facts)
    issued_list = {"list_id": worklist.uuid, "kind": order.kind, "as_of": order.as_of, "facility_id": order.facility}
    publish(session, "lists.issued", issued_list)
    return worklist.uuid


def order_for(
    session: TenantSession,
    kind: str,
    as_of: date,
    *,
    capacity: int | None = None,
    facility: UUID | None = None,
    due_within: int | None = None,
) -> Order:
    """The list to issue, with the tenant's own capacity and horizon as defaults."""
    settings = tenant_settings.get(session, RiskSettings)
    if kind == "at_risk" and due_within is None:
        due_within = settings.horizon_days
    return Order(kind, as_of, settings.capacity if capacity is None else capacity, facility, due_within)


def issued(session: TenantSession, order: Order) -> Worklist | None:
    """The list of the newest scoring of its date, as issued, even if it is not within reach; None if it was not.

    Raises:
        Conflict: the date has no scores yet.
    """
    head, _ = _head(session, order)
    return worklist_repository.issued_before(session, head)


def read(
    session: TenantSession,
    uuid: UUID,
    *,
    identities: bool = False,
    paging: PageRequest | None = None,
    facility: UUID | None = None,
) -> tuple[Worklist, Slice[WorklistEntry]]:
    """Return an issued list with its people: those of a page, of a facility, or all.

    The audit records the read of each person, with or without names.
    """
    worklist = worklist_repository.get_worklist(session, uuid)
    if paging is None:
        entries = worklist_repository.entries(session, uuid, facility)
        people = Slice(entries, len(entries))
    else:
        people = worklist_repository.page_of_entries(session, uuid, paging, worklist.entries)
    audit.record_many(
        session,
        "risk:worklist:read",
        "patient",
        [entry.patient_uuid for entry in people.rows],
        {"worklist": str(uuid), "identities": identities},
    )
    return worklist, people


def _check(order: Order) -> None:
    from core.errors import FieldError

    wrong = []
    if order.kind not in KINDS:
        wrong.append(
            FieldError(
                "kind",
                phrase("{kind!r} is not a list", kind=order.kind),
                phrase("choose one of {listed}", listed=", ".join(KINDS)),
            )
        )
    if not 0 < order.capacity <= MOST:
        wrong.append(
            FieldError("capacity", "is the number of people per facility", phrase("give 1 to {most:,}", most=MOST))
        )
    if order.due_within is not None and order.kind != "at_risk":
        wrong.append(FieldError("due_within", "does not apply: these people are past their contact", "leave it out"))
    if order.due_within is not None and not 0 <= order.due_within <= MOST_DAYS:
        wrong.append(
            FieldError("due_within", "is a number of days ahead", phrase("give 0 to {most_days}", most_days=MOST_DAYS))
        )
    if wrong:
        raise Invalid("this list cannot be made", remedy=wrong[0].remedy, errors=wrong)


def _facilities(
    session: TenantSession, order: Order, rows: Sequence[Prediction], candidates_of: Mapping[UUID, int]
) -> list[dict[str, Any]]:
    """Each facility on the list, with its candidates, listed people and cut-off; and the stale facilities."""
    limits = cohort_settings(session).completeness.stale_after_days
    entries = []
    for fact in repository.facility_facts(session):
        if order.facility is not None and fact["uuid"] != order.facility:
            continue
        own = [row for row in rows if row.facility_uuid == fact["uuid"]]
        stale = is_stale(fact["complete_through"], order.as_of, limits)
        if not own and not stale:
            continue
        entries.append(
            {
                "facility_uuid": str(fact["uuid"]),
                "datim_id": fact["datim_id"],
                "name": fact["name"],
                "candidates": candidates_of.get(fact["uuid"], 0),
                "listed": len(own),
                "cut_off": _score(own[-1]) if own else None,
                "complete_through": fact["complete_through"].isoformat() if fact["complete_through"] else None,
                "stale": stale,
            }
        )
    return entries


def _placed(rows: Sequence[Prediction], drawn: Collection[UUID], capacity: int) -> list[tuple[Prediction, int]]:
    """The people on the record of the list, each with the rank. ``rows`` are in order of facility and rank.

    Ranks are from 1 at each facility, and count the people who are shown: a gap would say where somebody is held out.
    The next in rank takes the place of each person ``drawn``, so that no facility has a shorter list.
    """
    shown: Counter[UUID] = Counter()
    placed = []
    for row in rows:
        if shown[row.facility_uuid] < capacity:
            placed.append((row, shown[row.facility_uuid] + 1))
            shown[row.facility_uuid] += row.uuid not in drawn
    return placed


def _score(row: Prediction) -> float:
    """The value that orders the list: the risk, or the days past the expected contact."""
    return float(row.days_late) if row.risk is None else row.risk


def _reasons(
    tenant: TenantRef, open_session: SessionOpener, order: Order, draft: _Draft
) -> tuple[dict[UUID, list[dict[str, Any]]], str | None]:
    """Reasons of everybody on the list, and why some have none. It explains people who were scored without reasons."""
    rows = [row for row, _ in draft.placed]
    if order.kind == "to_trace":
        return {row.patient_uuid: row.reasons or [_overdue(row)] for row in rows}, None
    reasons = {row.patient_uuid: row.reasons for row in rows if row.reasons is not None}
    missing = sorted(row.patient_uuid for row in rows if row.reasons is None)
    if not missing:
        return reasons, None
    try:
        model = serving.by_uuid(tenant, open_session, draft.worklist.model_uuid)
        if model.version != draft.worklist.model_version:
            return reasons, _unexplained(f"model {draft.worklist.model_version} does not serve at the moment")
        return reasons | reasons_of(open_session, missing, order.as_of, model, draft.rates), None
    except ModelFailed as error:
        return reasons, _unexplained(error.detail)


def _unexplained(cause: str) -> str:
    """A note for the whole list. It has no numbers of people, because readers who reach only some facilities see it."""
    return f"Some people are listed without reasons: {cause}."


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
