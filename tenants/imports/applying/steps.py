"""The steps that apply an import, each in its own transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import Invalid, phrase
from core.events import publish
from tenants.imports import waiting
from tenants.imports.applying import apply, cohort_block, lists, placing, settling
from tenants.imports.applying.apply import EVENT_KINDS, Terms, apply_chunk, apply_facilities
from tenants.imports.mapping import check_mapping
from tenants.imports.waiting import RELEASED

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.database import TenantSession
    from tenants.imports.models import Import

KINDS = ("facilities", "lists", *EVENT_KINDS, "waiting", "settling", "contacts")
"""The steps in order, with a description of each."""


def reject_parts(session: TenantSession, row: Import) -> None:
    """Reject a strict import as a whole if any of its rows would not be in the records.

    Raises:
        Invalid: rows were rejected, taken in part, or wait for their people.
    """
    bad, wait = row.rows_rejected + row.rows_in_part, waiting.count(session, row.uuid)
    remedy = "correct the rejected rows, which the import lists, or leave out strict"
    if bad:
        problem = phrase(
            "{rows} of {all} rows were rejected or taken in part, and the import is strict",
            rows=bad,
            all=row.rows_read,
        )
        raise Invalid(problem, remedy=remedy)
    if wait:
        problem = phrase(
            "{rows} of {all} rows are about people whom no import has named, and the import is strict",
            rows=wait,
            all=row.rows_read,
        )
        raise Invalid(problem, remedy="import the list that names the people first, or leave out strict")


def apply_step(session: TenantSession, row: Import, terms: Terms, kind: str, end: int) -> int | None:
    """Run one step; return the number of staged rows it took, or None if none were left.

    ``end``: the kind's last row.
    """
    publish(session, "records.written", {"import_id": row.uuid})
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(session, row, terms)
    applied = apply_chunk(session, terms, kind, row.cursor_seq, end)
    if applied.last is None:
        return None
    before = row.counts.get(kind, {})
    row.counts = {**row.counts, kind: {name: before.get(name, 0) + n for name, n in applied.counts.items()}}
    row.cursor_seq = applied.last
    return applied.rows


def _make_facilities(session: TenantSession, row: Import, terms: Terms) -> None:
    # Rules come before records, so that listeners of the records use them.
    cohort_block.store(session, check_mapping(row.mapping).cohort)
    row.counts = {**row.counts, "facilities": apply_facilities(session, terms)}


def _register(session: TenantSession, row: Import, _: Terms) -> None:
    run = lists.register(session, row, check_mapping(row.mapping))
    placing.note_gaps(session, row.uuid, run.number)


def _place_waiting(session: TenantSession, row: Import, _: Terms) -> int | None:
    """Store the import's waiting events, and move the next events whose placement has changed.

    Returns None when none is left.
    """
    if row.cursor_seq == 0:
        placing.keep(session, row.uuid, lists.run_of(session, row.uuid).number)
        row.cursor_seq = 1
    counts = placing.move(session, row.uuid, row.source)
    if counts.released:
        row.counts = {**row.counts, RELEASED: {"rows": row.counts.get(RELEASED, {}).get("rows", 0) + counts.released}}
    return counts.placements or None


def _settle(session: TenantSession, row: Import, _: Terms) -> None:
    settling.queue(session, lists.run_of(session, row.uuid))


def _publish_changes(session: TenantSession, _: Import, terms: Terms) -> int | None:
    return 0 if apply.publish_changes(session, terms) else None


_SPECIAL: dict[str, Callable[[TenantSession, Import, Terms], int | None]] = {
    "facilities": _make_facilities,
    "lists": _register,
    "waiting": _place_waiting,
    "settling": _settle,
    "contacts": _publish_changes,
}
"""Step -> its function, for the steps that do not apply a chunk of a kind."""
