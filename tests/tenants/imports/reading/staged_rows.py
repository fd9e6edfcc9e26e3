"""The staged form of blocks of rows, so that tests can compare two ways of reading."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from core.database import TenantSession
from tenants.imports import slots
from tenants.imports.reading.blocks import Block
from tenants.imports.staging.keys import PatientFacilities
from tenants.imports.staging.stager import Stager
from tenants.records.ids import new_uuid
from tests.tenants.imports.conftest import rows


def staged(
    session: TenantSession, blocks: Iterable[Block], data_date: date, source: str = "csv:test"
) -> tuple[list[Any], list[Any], list[int]]:
    """The staged rows in order, the rejections, both without what differs between imports, and the tally."""
    uuid = new_uuid()
    where, seq, total = PatientFacilities(uuid, source), 0, [0, 0, 0, 0]
    for block in blocks:
        stager = Stager(session, uuid, data_date, seq, where)
        tally = stager.take(block)
        seq = stager.seq
        counts = (tally.read, tally.rejected, tally.left_out, tally.staged)
        total = [one + more for one, more in zip(total, counts, strict=True)]
    columns = (
        "kind, state, file, line, facility, patient_key, source_key, digest, event_date, seen_on, birthdate, known_at,"
        f" label, patient_label, content, voided, {', '.join(slots.COLUMNS)}"
    )
    keys = "facility_uuid IS NULL, entity_uuid, patient_uuid, row_hash"
    stage = rows(session, f"SELECT {columns}, {keys} FROM import_staging WHERE import_uuid = %s ORDER BY seq", uuid)  # noqa: S608 - ours
    rejected = rows(
        session,
        "SELECT file, line, field, problem, remedy FROM import_rejections WHERE import_uuid = %s ORDER BY id",
        uuid,
    )
    return stage, sorted(rejected), total


def without_facilities(stage: list[Any]) -> list[Any]:
    """All rows but the facilities: a facility is staged one time per block, and blocks differ."""
    return [row for row in stage if row[0] != "facilities"]


def facilities(stage: list[Any]) -> set[Any]:
    """What the rows say of facilities, with the keys that name them."""
    return {row[16:] + row[4:8] for row in stage if row[0] == "facilities"}


def have_facilities(session: TenantSession, *codes: str) -> None:
    """Add facilities with fixed UUIDs, so that the keys of events are the same in every import."""
    session.cursor().execute(
        "INSERT INTO facilities (uuid, version_id, datim_id, name, source, created_at, updated_at)"
        " SELECT md5(id)::uuid, md5(id)::uuid, id, id, 'csv:test', now(), now()"
        " FROM unnest(%s::text[]) AS c (id) ON CONFLICT DO NOTHING",
        (list(codes),),
    )
