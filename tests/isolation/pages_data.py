"""The rows of the pages of data, and the things that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlmodel import select

from tenants.quality.models import LinkageCandidate
from tenants.records.ids import new_uuid
from tenants.records.models import Facility
from tests.isolation.cases_alerts import new_alert
from tests.isolation.cases_imports import imported, source
from tests.isolation.pages import Row

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.isolation.routes import World

_IMPORT, _PAIR, _SOURCE = ("import_id",), ("candidate_id",), ("source_id",)
ROWS = [
    Row("GET", "/data", "imports.read"),
    Row("GET", "/data/facilities", "imports.read", confined=False),
    Row(
        "POST",
        "/data/facilities/confirm",
        "imports.write",
        form={"code": "{new_id}"},
        status=303,
        confined=False,
    ),
    Row("GET", "/data/quality", "quality.read"),
    Row("GET", "/data/upload", "imports.write", confined=False),
    Row("POST", "/data/upload", "imports.write", status=422, confined=False),
    Row("GET", "/data/imports", "imports.read", confined=False),
    Row("GET", "/data/imports/{import_id}", "imports.read", names=_IMPORT, confined=False),
    Row("GET", "/data/imports/{import_id}/progress", "imports.read", names=_IMPORT, confined=False),
    Row("GET", "/data/imports/{import_id}/rejections.csv", "imports.read", names=_IMPORT, confined=False),
    Row("POST", "/data/imports/{import_id}/cancel", "imports.write", names=_IMPORT, status=303, confined=False),
    Row("POST", "/data/imports/{import_id}/undo", "imports.write", names=_IMPORT, status=409, confined=False),
    Row("POST", "/data/imports/{import_id}/list", "imports.read", names=_IMPORT, status=303, confined=False),
    Row("GET", "/data/sources", "imports.read", confined=False),
    Row("GET", "/data/sources/{source_id}", "imports.read", names=_SOURCE, confined=False),
    Row(
        "POST",
        "/data/sources/{source_id}",
        "imports.write",
        names=_SOURCE,
        form={"cron": "5 1 * * *"},
        status=303,
        confined=False,
    ),
    Row("POST", "/data/sources/{source_id}/fetch", "imports.write", names=_SOURCE, status=303, confined=False),
    Row("GET", "/data/candidates", "identities.read"),
    Row("GET", "/data/candidates/{candidate_id}", "identities.read", names=_PAIR),
    Row("POST", "/data/candidates/{candidate_id}/different", "identities.read", names=_PAIR, status=303),
    Row("POST", "/data/candidates/{candidate_id}/same", "identities.read", names=_PAIR, status=303, confined=False),
    Row("POST", "/data/candidates/{candidate_id}/undo", "identities.read", names=_PAIR, status=409, confined=False),
]


def things_of(world: World, names: Collection[str], facility: str) -> dict[str, str]:
    """An import, a source and a pair of the owner, new for each test, if a row names them."""
    things = {"import_id": str(uuid4()), "candidate_id": str(uuid4()), "source_id": str(uuid4())}
    if "source_id" in names:
        things["source_id"] = source(world)
    if "import_id" in names:
        things["import_id"] = imported(world)
    if "candidate_id" in names:
        things["candidate_id"] = str(_pair(world, facility))
    if "alert_id" in names:
        with world.session() as session:
            place = session.exec(select(Facility.uuid).where(Facility.datim_id == facility)).one()
        things["alert_id"] = new_alert(world, facility=place)
    return things


def _pair(world: World, facility: str) -> UUID:
    patients = [
        UUID(world.json("POST", "/v1/patients", json={"facility": facility, "hospital_number": uuid4().hex[:10]})["id"])
        for _ in range(2)
    ]
    first, second = sorted(patients)
    row = LinkageCandidate(
        uuid=new_uuid(), first_uuid=first, second_uuid=second, probability=0.97, evidence_hash=uuid4().hex,
        evidence={"agree": ["same phone"], "differ": [], "care": "unknown", "turns": 0},
    )  # fmt: skip
    with world.session() as session:
        session.add(row)
        return row.uuid
