"""Issued lists as the API, the command line, spreadsheets and printed pages show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tenants.records import places
from tenants.risk import levels, repository, worklist, worklist_repository
from tenants.risk.identities import full_name, identities_of
from tenants.risk.schemas import PersonIdentity, PredictionOut, WorklistDetail, WorklistEntryOut, WorklistOut
from tenants.risk.wording import summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from core.database import SessionOpener, TenantSession
    from core.web.paging import PageRequest
    from tenants.risk.identities import Identity
    from tenants.risk.models import Prediction, Worklist, WorklistEntry

COLUMNS: Final = (
    *("list", "as_of", "facility", "clinic", "rank", "of", "patient_id", "expected_date", "days_late", "score"),
    *("risk_level", "reasons", "model_version", "data_date", "worklist_id"),
)
IDENTITIES: Final = ("name", "phone", "hospital_number", "pepfar_id")
_AFTER: Final = COLUMNS.index("patient_id") + 1


@dataclass(frozen=True, slots=True)
class Shown:
    """An issued list as it is shown once; the audit knows that each of its people was seen.

    Attributes:
        worklist: as it was issued.
        people: by facility and rank.
        clinics: DATIM id and name of each facility.
        identities: what names each person; None where that is not shown.
    """

    worklist: Worklist
    people: Sequence[WorklistEntry]
    clinics: Mapping[UUID, tuple[str, str]]
    identities: Mapping[UUID, Identity] | None

    @property
    def meaning(self) -> str:
        """What the levels of this list mean."""
        if self.worklist.kind == "to_trace":
            return levels.TRACING
        share = self.worklist.capacity_share
        return levels.meaning(None if share is None else float(share), self.worklist.usual_risk)

    def why(self, entry: WorklistEntry) -> str:
        """Why a person is on the list, in one line."""
        reasons = entry.reasons or []
        if self.worklist.kind == "to_trace":
            return "; ".join(str(reason["text"]) for reason in reasons)
        return summary(entry.score, self.worklist.usual_risk, reasons)

    def of(self, facility: UUID) -> int:
        """How many people could have been listed at a facility."""
        for found in self.worklist.facilities:
            if found["facility_uuid"] == str(facility):
                return int(found["candidates"])
        return 0


def shown(
    session: TenantSession,
    uuid: UUID,
    *,
    identities: bool,
    paging: PageRequest | None = None,
    facility: UUID | None = None,
) -> Shown:
    """Read an issued list, or a page or a facility of it, to show it.

    One audit row for each person says whether names were shown.
    """
    kept, people = worklist.read(session, uuid, identities=identities, paging=paging, facility=facility)
    facts = repository.facility_facts(session)
    return Shown(
        worklist=kept,
        people=people,
        clinics={fact["uuid"]: (fact["datim_id"], fact["name"]) for fact in facts},
        identities=identities_of(session, [entry.patient_uuid for entry in people]) if identities else None,
    )


def by_clinic(open_session: SessionOpener, uuid: UUID, *, identities: bool) -> Iterator[Shown]:
    """An issued list clinic by clinic, each read in a transaction of its own; once without people where it has none.

    Raises:
        NotFound: there is no such list.
    """
    with open_session() as session:
        worklist_repository.get_worklist(session, uuid)
        listed = set(worklist_repository.facilities_of(session, uuid))
        facts = sorted(repository.facility_facts(session), key=lambda fact: (fact["datim_id"], fact["name"]))
        clinics = [fact["uuid"] for fact in facts if fact["uuid"] in listed]
        clinics += sorted(listed.difference(clinics))
    for clinic in clinics or [uuid]:
        with open_session() as session:
            found = shown(session, uuid, identities=identities, facility=clinic)
        yield found


def detail(found: Shown, paging: PageRequest) -> WorklistDetail:
    """A list with a page of its people."""
    listed = [
        WorklistEntryOut(
            rank=entry.rank,
            patient_id=entry.patient_uuid,
            facility=found.clinics.get(entry.facility_uuid, ("", ""))[0],
            clinic=found.clinics.get(entry.facility_uuid, ("", ""))[1],
            expected_date=entry.expected_date,
            days_late=None if entry.expected_date is None else entry.days_late,
            score=entry.score,
            risk_level=entry.risk_level,  # type: ignore[arg-type]  # the table's constraint
            reasons=entry.reasons or [],  # type: ignore[arg-type]  # validated here
            summary=found.why(entry),
            identity=_identity(found, entry.patient_uuid),
            contacted_at=entry.contacted_at,
            outcome=entry.outcome,
        )
        for entry in found.people
    ]
    issued = worklist_out(found.worklist, {uuid: datim_id for uuid, (datim_id, _) in found.clinics.items()})
    head = {name: value for name, value in paging.head(issued.entries).items() if name != "total"}
    return WorklistDetail(**issued.model_dump(), **head, meaning=found.meaning, people=listed)


def worklist_out(worklist: Worklist, datim_ids: Mapping[UUID, str]) -> WorklistOut:
    """A list without its people."""
    only = worklist.facility_uuid
    return WorklistOut.model_validate(
        worklist.model_dump() | {"facility": None if only is None else datim_ids.get(only, "")}
    )


def worklists(session: TenantSession, rows: Iterable[Worklist]) -> list[WorklistOut]:
    """Lists without their people."""
    datim_ids = _datim_ids(session)
    return [worklist_out(row, datim_ids) for row in rows]


def predictions(session: TenantSession, rows: Iterable[Prediction]) -> list[PredictionOut]:
    """Scores, each with the DATIM id of its facility."""
    datim_ids = _datim_ids(session)
    return [
        PredictionOut.model_validate(row.model_dump() | {"facility": datim_ids.get(row.facility_uuid, "")})
        for row in rows
    ]


def _datim_ids(session: TenantSession) -> dict[UUID, str]:
    return {fact["uuid"]: fact["datim_id"] for fact in repository.facility_facts(session)}


def _identity(found: Shown, patient: UUID) -> PersonIdentity | None:
    if found.identities is None:
        return None
    return PersonIdentity(**found.identities.get(patient, {}))


def facility_named(session: TenantSession, text: str | None, field: str) -> UUID | None:
    """The facility of a DATIM id; None where none is named.

    Raises:
        Invalid: there is no such facility.
    """
    found = places.facility_named(session, text, field)
    return None if found is None else found.uuid


def columns(*, identities: bool) -> tuple[str, ...]:
    """Headings of the flat rows; what names a person follows the identifier."""
    return (*COLUMNS[:_AFTER], *IDENTITIES, *COLUMNS[_AFTER:]) if identities else COLUMNS


def rows(found: Shown) -> list[dict[str, Any]]:
    """A list as flat rows, by facility and rank."""
    by_clinic = sorted(found.people, key=lambda entry: (found.clinics.get(entry.facility_uuid, ("", "")), entry.rank))
    return [_row(found, entry) for entry in by_clinic]


def _row(found: Shown, entry: WorklistEntry) -> dict[str, Any]:
    kept = found.worklist
    datim_id, clinic = found.clinics.get(entry.facility_uuid, (str(entry.facility_uuid), ""))
    row: dict[str, Any] = {
        "list": kept.kind,
        "as_of": kept.as_of,
        "facility": datim_id,
        "clinic": clinic,
        "rank": entry.rank,
        "of": found.of(entry.facility_uuid),
        "patient_id": entry.patient_uuid,
        "expected_date": entry.expected_date,
        "days_late": None if entry.expected_date is None else entry.days_late,
        "score": round(entry.score, 4),
        "risk_level": entry.risk_level,
        "reasons": found.why(entry),
        "model_version": kept.model_version,
        "data_date": kept.data_date,
        "worklist_id": kept.uuid,
    }
    if found.identities is not None:
        identity = found.identities.get(entry.patient_uuid, {})
        row |= {"name": full_name(identity)} | {name: identity.get(name) for name in IDENTITIES[1:]}
    return row


def title(kind: str, as_of: date, due_within: int | None) -> str:
    """What a list is, for its head."""
    if kind == "to_trace":
        return f"To be traced: past the expected contact, as of {as_of}"
    within = "" if due_within is None else f", expected within {due_within} days"
    return f"At risk: expected and not yet returned{within}, as of {as_of}"
