"""All SQL of issued lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Uuid, and_, cast, or_
from sqlmodel import col, func, select

from core.errors import NotFound
from core.web.cursors import Sort
from core.web.keyset import Slice, cut, page_statement, read_slice
from tenants.records.models import Facility
from tenants.records.reach import facility_within_reach, within_reach
from tenants.risk.models import Prediction, ScoreRun, Worklist, WorklistEntry
from tenants.risk.repository import due_within_days

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from core.web.paging import PageRequest

BY_FACILITY = Sort("facility")
"""The order of a list's people where nobody asks for another: by the facility's DATIM id, then by rank."""

_DATIM_ID = func.coalesce(col(Facility.datim_id), "")


def candidates(
    session: TenantSession, as_of: date, kind: str, facility: UUID | None, capacity: int, due_within: int | None
) -> tuple[list[Prediction], dict[UUID, int]]:
    """The people within this capacity at each facility that is not stale, by rank; and each facility's candidates."""
    conditions: list[Any] = [Prediction.as_of == as_of, Prediction.kind == kind, col(Prediction.stale).is_(False)]
    if facility is not None:
        conditions.append(Prediction.facility_uuid == facility)
    if due_within is not None:
        conditions.append(due_within_days(due_within))
        of_facility = func.row_number().over(partition_by=col(Prediction.facility_uuid), order_by=col(Prediction.rank))
        places = select(col(Prediction.uuid), of_facility.label("place")).where(*conditions).subquery()
        listed_uuids = select(places.c.uuid).where(places.c.place <= capacity)
    rows = session.exec(
        select(Prediction)
        .where(
            *conditions,
            col(Prediction.rank) <= capacity if due_within is None else col(Prediction.uuid).in_(listed_uuids),
        )
        .order_by(col(Prediction.facility_uuid), col(Prediction.rank))
    ).all()
    counts = session.exec(
        select(Prediction.facility_uuid, func.count()).where(*conditions).group_by(col(Prediction.facility_uuid))
    ).all()
    return list(rows), dict(counts)


def issued_before(session: TenantSession, draft: Worklist) -> Worklist | None:
    """The same list of the same scoring, if it was issued before."""
    query = select(Worklist).where(
        Worklist.kind == draft.kind,
        Worklist.as_of == draft.as_of,
        Worklist.capacity == draft.capacity,
        Worklist.scored_at == draft.scored_at,
        Worklist.model_version == draft.model_version,
        col(Worklist.due_within).is_not_distinct_from(draft.due_within),
        col(Worklist.facility_uuid).is_not_distinct_from(draft.facility_uuid),
    )
    return session.exec(query).first()


def newest_scored_day(session: TenantSession) -> date | None:
    """The newest day that was scored to its end; None where none was."""
    return session.exec(select(func.max(ScoreRun.as_of)).where(ScoreRun.state == "done")).one()


def get_worklist(session: TenantSession, uuid: UUID) -> Worklist:
    """Return one issued list, its head cut to the facilities within reach.

    Raises:
        NotFound: there is no such list, or it has no facility within reach.
    """
    if session.reach.everything:
        worklist = session.get(Worklist, uuid)
    else:
        worklist = session.exec(select(Worklist).where(Worklist.uuid == uuid, *_concerns(session))).first()
    if worklist is None:
        detail = "there is no such list"
        raise NotFound(detail, remedy="see the issued lists with GET /v1/worklists")
    return _cut(session, [worklist])[0]


def as_issued(session: TenantSession, uuid: UUID) -> Worklist:
    """One issued list as a whole, even if it is not within reach. Do not show its totals and facilities to callers."""
    return session.exec(select(Worklist).where(Worklist.uuid == uuid)).one()


def list_worklists(
    session: TenantSession, paging: PageRequest, *, as_of: date | None, kind: str | None
) -> Slice[Worklist]:
    """One page of the issued lists that concern facilities within reach, their heads cut to these."""
    conditions: list[Any] = [
        condition
        for value, condition in ((as_of, Worklist.as_of == as_of), (kind, Worklist.kind == kind))
        if value is not None
    ]
    columns = {"issued_at": col(Worklist.issued_at)}
    statement = select(Worklist).where(*conditions, *_concerns(session))
    part = read_slice(session, statement, paging, columns, col(Worklist.uuid))
    return Slice(_cut(session, part.rows), part.total, part.last)


def _concerns(session: TenantSession) -> list[ColumnElement[bool]]:
    """Return the condition that a list is of a facility within reach, or names one; none for the whole tenant.

    Who reaches assigned patients only gets the lists that have one of them.
    """
    if session.reach.everything:
        return []
    if session.reach.assigned_to is not None:
        own = select(WorklistEntry.uuid).where(WorklistEntry.worklist_uuid == Worklist.uuid, _of_reach(session))
        return [own.exists()]
    named = func.jsonb_array_elements(col(Worklist.facilities)).table_valued("value").render_derived("named")
    facility = cast(named.c.value.op("->>")("facility_uuid"), Uuid)
    names = select(named.c.value).where(facility_within_reach(session, facility)).exists()
    return [or_(facility_within_reach(session, Worklist.facility_uuid), names)]


def _cut(session: TenantSession, worklists: Sequence[Worklist]) -> list[Worklist]:
    """The lists with the facilities within reach only, and the totals of these. Cut lists are copies, never stored."""
    if session.reach.everything:
        return list(worklists)
    if session.reach.assigned_to is not None:
        return _cut_to_own(session, worklists)
    of_reach = select(Facility.uuid).where(facility_within_reach(session, Facility.uuid))
    served = {str(uuid) for uuid in session.exec(of_reach)}
    cut = []
    for worklist in worklists:
        facilities = [each for each in worklist.facilities if each["facility_uuid"] in served]
        totals = {
            "candidates": sum(each["candidates"] for each in facilities),
            "entries": sum(each["listed"] for each in facilities),
        }
        cut.append(Worklist(**worklist.model_dump() | {"facilities": facilities} | totals))
    return cut


def _cut_to_own(session: TenantSession, worklists: Sequence[Worklist]) -> list[Worklist]:
    """The lists as those see them who reach assigned patients only: everything counts these patients."""
    columns = (WorklistEntry.worklist_uuid, WorklistEntry.facility_uuid, func.count(), func.min(WorklistEntry.score))
    listed = col(WorklistEntry.worklist_uuid).in_([worklist.uuid for worklist in worklists])
    query = select(*columns).where(listed, _of_reach(session))
    counted: dict[tuple[UUID, str], tuple[int, float]] = {
        (worklist, str(facility)): (count, lowest)
        for worklist, facility, count, lowest in session.exec(
            query.group_by(col(WorklistEntry.worklist_uuid), col(WorklistEntry.facility_uuid))
        )
    }
    cut = []
    for worklist in worklists:
        facilities = [
            each | {"candidates": own[0], "listed": own[0], "cut_off": own[1]}
            for each in worklist.facilities
            if (own := counted.get((worklist.uuid, each["facility_uuid"]))) is not None
        ]
        total = sum(each["listed"] for each in facilities)
        totals = {"facilities": facilities, "candidates": total, "entries": total}
        cut.append(Worklist(**worklist.model_dump() | totals))
    return cut


def entries(session: TenantSession, uuid: UUID, facility: UUID | None = None) -> Sequence[WorklistEntry]:
    """The people of a list within reach, or of one facility, by the facility's DATIM id and rank."""
    query = _entries(session, select(WorklistEntry), uuid).order_by(_DATIM_ID, col(WorklistEntry.rank))
    if facility is not None:
        query = query.where(WorklistEntry.facility_uuid == facility)
    rows: Sequence[WorklistEntry] = session.exec(query).all()
    return rows


def page_of_entries(session: TenantSession, uuid: UUID, paging: PageRequest, total: int) -> Slice[WorklistEntry]:
    """One page of the people of a list within reach; ``total`` is the number of all of them."""
    query = _entries(session, select(WorklistEntry, _DATIM_ID), uuid)
    rows = session.exec(page_statement(query, paging, {"facility": _DATIM_ID}, col(WorklistEntry.rank))).all()
    part = cut(rows, paging, total, lambda row: (row[1], row[0].rank))
    return Slice([entry for entry, _ in part.rows], part.total, part.last)


def _entries(session: TenantSession, selected: Any, uuid: UUID) -> Any:  # noqa: ANN401 - a statement of any columns
    """Select from the people of a list, each with the facility.

    A person is selected even if the facility is missing.
    """
    return selected.outerjoin(Facility, col(Facility.uuid) == col(WorklistEntry.facility_uuid)).where(
        WorklistEntry.worklist_uuid == uuid, _of_reach(session)
    )


def facilities_of(session: TenantSession, uuid: UUID) -> Sequence[UUID]:
    """The facilities within reach that have people on a list."""
    query = select(WorklistEntry.facility_uuid).where(WorklistEntry.worklist_uuid == uuid, _of_reach(session))
    return session.exec(query.distinct()).all()


def _of_reach(session: TenantSession) -> ColumnElement[bool]:
    """The condition that a person of a list is shown, and within reach."""
    shown = col(WorklistEntry.held_out).is_(False)
    return and_(shown, within_reach(session, WorklistEntry.facility_uuid, col(WorklistEntry.patient_uuid)))
