"""Show issued lists: for the API, the command line, spreadsheets and printed pages."""

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
    from core.web.cursors import Key
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
class WorklistView:
    """An issued list, as shown once. The audit records the read of each person.

    Attributes:
        worklist: the list as issued.
        people: its people.
        last: the key of the page's last one where more follow.
        clinics: DATIM id and name of each facility.
        identities: personal identifiers of each person; None where they are not shown.
    """

    worklist: Worklist
    people: Sequence[WorklistEntry]
    clinics: Mapping[UUID, tuple[str, str]]
    identities: Mapping[UUID, Identity] | None
    last: Key | None = None

    @property
    def meaning(self) -> str:
        """The meaning of this list's levels."""
        if self.worklist.kind == "to_trace":
            return levels.TRACING
        share = self.worklist.capacity_share
        return levels.meaning(None if share is None else float(share), self.worklist.usual_risk)

    def why(self, entry: WorklistEntry) -> str:
        """Why a person is on the list, in one line."""
        return self.line(entry.score, entry.reasons or [])

    def line(self, score: float, reasons: Sequence[Mapping[str, Any]]) -> str:
        """A score and its reasons, in one line."""
        if self.worklist.kind == "to_trace":
            return "; ".join(str(reason["text"]) for reason in reasons)
        return summary(score, self.worklist.usual_risk, reasons)

    def of(self, facility: UUID) -> int:
        """The number of candidates at a facility."""
        for facility_entry in self.worklist.facilities:
            if facility_entry["facility_uuid"] == str(facility):
                return int(facility_entry["candidates"])
        return 0


def view(
    session: TenantSession,
    uuid: UUID,
    *,
    identities: bool,
    paging: PageRequest | None = None,
    facility: UUID | None = None,
) -> WorklistView:
    """Read an issued list, or a page or a facility of it, to show it.

    The audit gets one row per person, with whether names were shown.
    """
    issued, part = worklist.read(session, uuid, identities=identities, paging=paging, facility=facility)
    facts = repository.facility_facts(session)
    return WorklistView(
        worklist=issued,
        people=part.rows,
        clinics={fact["uuid"]: (fact["datim_id"], fact["name"]) for fact in facts},
        identities=identities_of(session, [entry.patient_uuid for entry in part.rows]) if identities else None,
        last=part.last,
    )


def by_clinic(open_session: SessionOpener, uuid: UUID, *, identities: bool) -> Iterator[WorklistView]:
    """Yield an issued list clinic by clinic, each read in its own transaction; an empty list once, without people.

    Raises:
        NotFound: there is no such list.
    """
    with open_session() as session:
        worklist_repository.get_worklist(session, uuid)
        facility_uuids = set(worklist_repository.facilities_of(session, uuid))
        facts = sorted(repository.facility_facts(session), key=lambda fact: (fact["datim_id"], fact["name"]))
        clinics = [fact["uuid"] for fact in facts if fact["uuid"] in facility_uuids]
        clinics += sorted(facility_uuids.difference(clinics))
    for clinic in clinics or [uuid]:
        with open_session() as session:
            clinic_view = view(session, uuid, identities=identities, facility=clinic)
        yield clinic_view


def detail(list_view: WorklistView, paging: PageRequest) -> WorklistDetail:
    """Return a list with a page of its people."""
    people = [
        WorklistEntryOut(
            rank=entry.rank,
            patient_id=entry.patient_uuid,
            facility=list_view.clinics.get(entry.facility_uuid, ("", ""))[0],
            clinic=list_view.clinics.get(entry.facility_uuid, ("", ""))[1],
            expected_date=entry.expected_date,
            days_late=None if entry.expected_date is None else entry.days_late,
            score=entry.score,
            risk_level=entry.risk_level,  # type: ignore[arg-type]  # the table's constraint
            reasons=entry.reasons or [],  # type: ignore[arg-type]  # validated here
            summary=list_view.why(entry),
            identity=_identity(list_view, entry.patient_uuid),
            contacted_at=entry.contacted_at,
            outcome=entry.outcome,
        )
        for entry in list_view.people
    ]
    issued = worklist_out(list_view.worklist, {uuid: datim_id for uuid, (datim_id, _) in list_view.clinics.items()})
    head = {name: value for name, value in paging.head(issued.entries, list_view.last).items() if name != "total"}
    return WorklistDetail(**issued.model_dump(), **head, meaning=list_view.meaning, people=people)


def worklist_out(worklist: Worklist, datim_ids: Mapping[UUID, str]) -> WorklistOut:
    """Return a list without its people."""
    facility_uuid = worklist.facility_uuid
    return WorklistOut.model_validate(
        worklist.model_dump() | {"facility": None if facility_uuid is None else datim_ids.get(facility_uuid, "")}
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


def _identity(list_view: WorklistView, patient: UUID) -> PersonIdentity | None:
    if list_view.identities is None:
        return None
    return PersonIdentity(**list_view.identities.get(patient, {}))


def facility_named(session: TenantSession, text: str | None, field: str = "facility") -> UUID | None:
    """The UUID of the facility with this DATIM id; None where ``text`` is None.

    Raises:
        Invalid: there is no such facility.
    """
    facility = places.facility_named(session, text, field)
    return None if facility is None else facility.uuid


def columns(*, identities: bool) -> tuple[str, ...]:
    """Headings of the flat rows; personal identifiers follow the UUID."""
    return (*COLUMNS[:_AFTER], *IDENTITIES, *COLUMNS[_AFTER:]) if identities else COLUMNS


def rows(list_view: WorklistView) -> list[dict[str, Any]]:
    """The list as flat rows, by facility and rank."""
    by_clinic = sorted(
        list_view.people, key=lambda entry: (list_view.clinics.get(entry.facility_uuid, ("", "")), entry.rank)
    )
    return [_row(list_view, entry) for entry in by_clinic]


def _row(list_view: WorklistView, entry: WorklistEntry) -> dict[str, Any]:
    issued = list_view.worklist
    datim_id, clinic = list_view.clinics.get(entry.facility_uuid, (str(entry.facility_uuid), ""))
    row: dict[str, Any] = {
        "list": issued.kind,
        "as_of": issued.as_of,
        "facility": datim_id,
        "clinic": clinic,
        "rank": entry.rank,
        "of": list_view.of(entry.facility_uuid),
        "patient_id": entry.patient_uuid,
        "expected_date": entry.expected_date,
        "days_late": None if entry.expected_date is None else entry.days_late,
        "score": round(entry.score, 4),
        "risk_level": entry.risk_level,
        "reasons": list_view.why(entry),
        "model_version": issued.model_version,
        "data_date": issued.data_date,
        "worklist_id": issued.uuid,
    }
    if list_view.identities is not None:
        identity = list_view.identities.get(entry.patient_uuid, {})
        row |= {"name": full_name(identity)} | {name: identity.get(name) for name in IDENTITIES[1:]}
    return row


def title(kind: str, as_of: date, due_within: int | None) -> str:
    """The heading of a list."""
    if kind == "to_trace":
        return f"To be traced: past the expected contact, as of {as_of}"
    within = "" if due_within is None else f", expected within {due_within} days"
    return f"At risk: expected and not yet returned{within}, as of {as_of}"
