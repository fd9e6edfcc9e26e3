"""Write one row for a user: a new entity, the next version of one, or a tombstone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import sql
from sqlmodel import col, select

from core.clock import now, today
from tenants.records.ids import API_SOURCE, new_uuid, new_uuid_sql
from tenants.records.models import Appointment, Dispensation, Encounter, Observation, Patient, PatientState, Visit
from tenants.records.people import differing
from tenants.records.reach import within_reach
from tenants.records.statements import note_by_hand
from tenants.records.upsert_stage import content_values, shape
from tenants.records.versioned import ContentRuns, Versioned

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantSession

Row = TypeVar("Row", bound=Versioned)

CARE: tuple[type[ContentRuns], ...] = (Visit, Encounter, Observation, Dispensation, Appointment, PatientState)
"""Tables whose rows belong to a patient."""

_CLOSE_ALL = sql.SQL(
    "UPDATE {table} SET known_to = greatest({now}, known_from)"
    " WHERE patient_uuid = {patient} AND known_to IS NULL AND NOT voided RETURNING version_id",
)
_TOMBSTONES = sql.SQL(
    "INSERT INTO {table} (version_id, uuid, facility_uuid, source, source_key, known_from, data_date, row_hash,"
    " voided, voided_by, date_voided, void_reason, changed_by, {content})"
    " SELECT {new_uuid}, uuid, facility_uuid, source, source_key, known_to, greatest(data_date, {today}), row_hash,"
    " true, {actor}, {now}, {reason}, {actor}, {content} FROM {table} WHERE version_id = ANY({closed})",
)


def open_version(session: TenantSession, model: type[Row], uuid: UUID, *, lock: bool = False) -> Row | None:
    """The open version of an entity; None if it is voided, missing or not within reach. ``lock`` locks the row."""
    wanted = select(model).where(
        col(model.uuid) == uuid,
        col(model.known_to).is_(None),
        within_reach(session, model.facility_uuid, _patient_column(model)),
    )
    if lock:
        wanted = wanted.with_for_update().execution_options(populate_existing=True)
    row = session.exec(wanted).first()
    return None if row is None or row.voided else row


def _patient_column(model: type[Versioned]) -> Any:  # noqa: ANN401 - a column of UUIDs
    """Return the column that names the patient of a row."""
    return col(model.uuid) if model is Patient else getattr(model, "patient_uuid")  # noqa: B009 - the tables of CARE


def create(
    session: TenantSession,
    model: type[Row],
    facility_uuid: UUID,
    content: Mapping[str, object],
    *,
    uuid: UUID | None = None,
) -> Row:
    """Add a new entity, known from now on.

    Raises:
        ValueError: a name is not a content column of the table.
    """
    entity_id = uuid or new_uuid()
    _, fingerprint = content_values(model, content)
    row = model.model_validate(
        {
            **content,
            "uuid": entity_id,
            "facility_uuid": facility_uuid,
            "source": API_SOURCE,
            "source_key": entity_id.bytes,
            "known_from": now(),
            "data_date": today(session.tenant.time_zone),
            "row_hash": fingerprint,
            "changed_by": session.actor,
        },
    )
    session.add(row)
    session.flush()
    return row


def change(session: TenantSession, row: Row, changes: Mapping[str, object], *, wrong_phone: bytes | None = None) -> Row:
    """Close the (locked) open version and add the next one, and return it. Without a change, return the same row.

    Args:
        session: the tenant's transaction.
        row: the open version.
        changes: value by column.
        wrong_phone: blind index of a patient's phone that the person marks as wrong.

    Raises:
        ValueError: a name is not a content column of the table.
    """
    form = shape(type(row))
    content = {name: getattr(row, name) for name in form.columns} | dict(changes)
    _, fingerprint = content_values(type(row), content)
    if fingerprint == row.row_hash:
        return row
    return _next(session, row, content, wrong_phone=wrong_phone, row_hash=fingerprint)


def void(session: TenantSession, row: Row, reason: str) -> Row:
    """Close the (locked) open version and add a tombstone, which says who voided it, when and why."""
    content = {name: getattr(row, name) for name in shape(type(row)).columns}
    return _next(
        session,
        row,
        content,
        row_hash=row.row_hash,
        voided=True,
        voided_by=session.actor,
        date_voided=now(),
        void_reason=reason,
    )


def void_care_of(session: TenantSession, patient_uuid: UUID, reason: str) -> int:
    """Void all rows of a patient's care; return their number."""
    total = 0
    with session.cursor() as cursor:
        for model in CARE:
            form = shape(model)
            parts: dict[str, sql.Composable] = {
                "table": sql.Identifier(form.table),
                "content": sql.SQL(", ").join(map(sql.Identifier, form.columns)),
                "patient": sql.Literal(patient_uuid),
                "new_uuid": new_uuid_sql(cursor),
                "now": sql.Literal(now()),
                "today": sql.Literal(today(session.tenant.time_zone)),
                "actor": sql.Literal(session.actor),
                "reason": sql.Literal(reason),
            }
            closed = [version_id for (version_id,) in cursor.execute(_CLOSE_ALL.format(**parts))]
            if closed:
                cursor.execute(_TOMBSTONES.format(**parts, closed=sql.Literal(closed)))
            total += len(closed)
    return total


def _next(
    session: TenantSession,
    row: Row,
    content: Mapping[str, object],
    *,
    wrong_phone: bytes | None = None,
    **bookkeeping: object,
) -> Row:
    moment = max(now(), row.known_from)
    row.known_to = moment
    session.add(row)
    session.flush()  # an entity may have one open version only: close the old one before the new one is added
    following = type(row).model_validate(
        {
            **content,
            "uuid": row.uuid,
            "facility_uuid": row.facility_uuid,
            "source": row.source,
            "source_key": row.source_key,
            "known_from": moment,
            "data_date": max(today(session.tenant.time_zone), row.data_date),
            "changed_by": session.actor,
            **bookkeeping,
        },
    )
    session.add(following)
    session.flush()
    if isinstance(row, Patient) and isinstance(following, Patient):
        # The next import computes the patient again from all statements, so a user's change must be one of them.
        attributes = differing(row.model_dump(), following.model_dump())
        note_by_hand(session, following, attributes, wrong_phone=wrong_phone)
    return following
