"""Checks of the visits, encounters and observations that people write."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Table

from core.clock import now, today
from core.database import TenantSession
from core.errors import FieldError, Invalid, phrase
from tenants.records import writing
from tenants.records.models import Encounter, Visit
from tenants.records.repository_care import REFERENCES, Kind
from tenants.records.schemas_care import check_value

_PARENTS: dict[str, type[Visit] | type[Encounter]] = {"visit_uuid": Visit, "encounter_uuid": Encounter}


def check_row(
    session: TenantSession, kind: Kind[Any], whole: Mapping[str, Any], sent: Mapping[str, Any], patient_uuid: UUID
) -> None:
    """Reject a row with a missing or impossible value, or with a reference to another patient's record.

    Args:
        session: the tenant's transaction.
        kind: the kind of row.
        whole: the row after the change.
        sent: the fields that the caller sent.
        patient_uuid: the row's patient.

    Raises:
        Invalid: it names every wrong field.
    """
    problems = [
        *_emptied(kind, sent),
        *_out_of_order(session, kind, whole),
        *_strangers(session, sent, patient_uuid),
        *_impossible(whole),
    ]
    if problems:
        raise Invalid("; ".join(f"{problem.field} {problem.problem}" for problem in problems), errors=problems)


def _emptied(kind: Kind[Any], sent: Mapping[str, Any]) -> Iterator[FieldError]:
    table: Table = kind.model.__table__
    for column in table.columns:
        if column.name in sent and sent[column.name] is None and not column.nullable:
            yield FieldError(
                f"body.{column.name}", "cannot be empty", "send a value, or leave the field out to keep it"
            )


def _out_of_order(session: TenantSession, kind: Kind[Any], whole: Mapping[str, Any]) -> Iterator[FieldError]:
    happened = whole[kind.happened.key]
    if happened is not None and _is_future(session, happened):
        yield FieldError(f"body.{kind.happened.key}", "lies in the future", "give a time up to now")
    started, stopped, following = (whole.get(name) for name in ("date_started", "date_stopped", "next_appointment"))
    if started and stopped and stopped < started:
        yield FieldError("body.date_stopped", "comes before date_started", "give a date on or after date_started")
    if started and following and following <= started:
        yield FieldError("body.next_appointment", "is not after date_started", "give a date after date_started")


def _strangers(session: TenantSession, sent: Mapping[str, Any], patient_uuid: UUID) -> Iterator[FieldError]:
    for name, parent in _PARENTS.items():
        uuid = sent.get(name)
        if isinstance(uuid, UUID):
            row = writing.open_version(session, parent, uuid)
            if row is None or row.patient_uuid != patient_uuid:
                remedy = phrase("send the identifier of one of this patient's {table}", table=parent.__tablename__)
                yield FieldError(f"body.{REFERENCES[name]}", "names no record of this patient", remedy)


def _impossible(whole: Mapping[str, Any]) -> Iterator[FieldError]:
    if "variable_name" in whole:
        try:
            check_value(whole["variable_name"], whole.get("value_numeric"), whole.get("value_coded"))
        except ValueError as error:
            field = str(error).split(" ", 1)[0]
            yield FieldError(f"body.{field}", str(error), "correct the value")


def _is_future(session: TenantSession, happened: date) -> bool:
    if isinstance(happened, datetime):
        return happened > now()
    return happened > today(session.tenant.time_zone)
