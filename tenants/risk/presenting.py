"""Issued lists as the API, the command line and CSV show them."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

from core.web.spreadsheets import no_formula
from tenants.records import places
from tenants.records.personal import open_patient
from tenants.records.repository import patient_as_of
from tenants.risk import repository
from tenants.risk.schemas import WorklistDetail, WorklistEntryOut, WorklistOut
from tenants.risk.wording import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from core.database import TenantSession
    from tenants.risk.models import Worklist, WorklistEntry

COLUMNS: Final = (
    *(
        "list",
        "as_of",
        "facility",
        "rank",
        "patient_uuid",
        "expected_date",
        "days_late",
        "score",
        "risk_level",
        "reasons",
    ),
    *("model_version", "data_date", "worklist_uuid"),
)
IDENTIFIERS: Final = ("pepfar_id", "hospital_number")


def detail(worklist: Worklist, people: Sequence[WorklistEntry]) -> WorklistDetail:
    """A list with its people."""
    listed = [WorklistEntryOut.model_validate(entry) for entry in people]
    return WorklistDetail(**WorklistOut.model_validate(worklist).model_dump(), people=listed)


def facility_named(session: TenantSession, text: str | None, field: str) -> UUID | None:
    """The facility of a DATIM id or UUID; None where none is named.

    Raises:
        Invalid: there is no such facility.
    """
    found = places.facility_named(session, text, field)
    return None if found is None else found.uuid


def rows(
    session: TenantSession, worklist: Worklist, people: Sequence[WorklistEntry], *, identifiers: bool = False
) -> list[dict[str, Any]]:
    """A list as flat rows, facilities by their DATIM id; programme identifiers in the clear only where asked for."""
    names = {fact["uuid"]: fact["datim_id"] for fact in repository.facility_facts(session)}
    found = []
    for entry in sorted(people, key=lambda entry: (names.get(entry.facility_uuid, ""), entry.rank)):
        row: dict[str, Any] = {
            "list": worklist.kind,
            "as_of": worklist.as_of,
            "facility": names.get(entry.facility_uuid, str(entry.facility_uuid)),
            "rank": entry.rank,
            "patient_uuid": entry.patient_uuid,
            "expected_date": entry.expected_date,
            "days_late": entry.days_late,
            "score": round(entry.score, 4),
            "risk_level": entry.risk_level,
            "reasons": sentence(entry.reasons or []),
            "model_version": worklist.model_version,
            "data_date": worklist.data_date,
            "worklist_uuid": worklist.uuid,
        }
        if identifiers:
            row |= _identifiers(session, entry)
        found.append(row)
    return found


def as_csv(found: Sequence[dict[str, Any]], *, identifiers: bool = False) -> str:
    """Rows as CSV with a head; a text that a spreadsheet would take for a formula is quoted."""
    file = io.StringIO()
    columns = (*COLUMNS, *IDENTIFIERS) if identifiers else COLUMNS
    writer = csv.DictWriter(file, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _plain(value) for name, value in row.items()} for row in found)
    return file.getvalue()


def _plain(value: Any) -> Any:  # noqa: ANN401 - a cell
    return no_formula(value) if isinstance(value, str) else value


def _identifiers(session: TenantSession, entry: WorklistEntry) -> dict[str, str | None]:
    patient = patient_as_of(session, entry.patient_uuid, None)
    clear = {} if patient is None else open_patient(session, patient)
    return {name: clear.get(name) for name in IDENTIFIERS}
