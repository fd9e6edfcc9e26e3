"""The rows of the pages of follow-up, and the things that they name."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from tenants.followup.proposals import propose
from tests.isolation.pages import Row

if TYPE_CHECKING:
    from tests.isolation.routes import World

ROWS = [
    Row("GET", "/assign/{patient_id}", "assignments.write", names=("patient_id",)),
    Row("POST", "/assign/{patient_id}", "assignments.write", names=("patient_id",), form={"person_id": ""}, status=303),
    Row(
        "POST",
        "/patients/{patient_id}/attempts",
        "attempts.write",
        names=("patient_id",),
        form={"id": "{new_id}", "outcome": "reached"},
        status=303,
    ),
    Row("GET", "/follow-up", "attempts.read"),
    Row("GET", "/follow-up/funnel", "funnel.read"),
    Row("GET", "/follow-up/funnel.csv", "funnel.read"),
    Row("GET", "/follow-up/verify", "statuses.verify"),
    Row("POST", "/follow-up/verify/{proposal_id}/verified", "statuses.verify", names=("proposal_id",), status=303),
    Row("POST", "/follow-up/verify/{proposal_id}/rejected", "statuses.verify", names=("proposal_id",), status=303),
    Row("GET", "/follow-up/team", "team.manage", confined=False),
    Row("POST", "/follow-up/team/capacity", "team.manage", form={"person_id": "{new_id}"}, status=404, confined=False),
    Row("POST", "/follow-up/team/absences", "team.manage", form={"person_id": "{new_id}"}, status=422, confined=False),
    Row("POST", "/follow-up/team/absences/{absence_id}/remove", "team.manage", status=404, confined=False),
    Row("GET", "/follow-up/effect", "funnel.read"),
    Row("GET", "/follow-up/hold-out", "holdout.manage", confined=False),
    Row("POST", "/follow-up/hold-out", "holdout.manage", status=422, confined=False),
    Row("POST", "/follow-up/hold-out/end", "holdout.manage", status=303, confined=False),
    Row(
        "POST",
        "/today/plans",
        "attempts.write",
        names=("patient_id",),
        form={"id": "{new_id}", "kind": "home_visit"},
        status=303,
    ),
    Row("GET", "/today/size", "risk.read", confined=False),
    Row("POST", "/today/size", "settings.write", form={"size": "20"}, status=303, confined=False),
    Row("GET", "/follow-up/targets", "targets.write", confined=False),
    Row("POST", "/follow-up/targets", "targets.write", status=422, confined=False),
    Row("POST", "/follow-up/targets/file", "targets.write", status=422, confined=False),
    Row("POST", "/follow-up/team/share", "team.manage", status=303, confined=False),
    Row(
        "POST",
        "/patients/{patient_id}/plans",
        "attempts.write",
        names=("patient_id",),
        form={"id": "{new_id}", "kind": "home_visit"},
        status=303,
    ),
    Row(
        "POST",
        "/patients/{patient_id}/plans/{intervention_id}/end",
        "attempts.write",
        names=("patient_id", "intervention_id"),
        form={"outcome": "cancelled"},
        status=303,
    ),
]
NAMED = ("proposal_id", "intervention_id")


def thing_of(world: World, name: str, patient: str) -> str:
    """Return a proposal or a planned intervention of a patient of the owner's, new for each row that names one."""
    if name == "proposal_id":
        with world.session() as session:
            return str(propose(session, UUID(patient), "died", date(2025, 2, 3)).uuid)
    body = {"id": str(uuid4()), "patient_id": patient, "kind": "home_visit"}
    planned: str = world.json("POST", "/v1/interventions", json=body)["id"]
    return planned
