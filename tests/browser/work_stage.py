"""What the pictures of work need beyond a demo: a team with capacity, targets, and deaths and transfers to verify."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from core.clock import today
from core.database import tenant_session
from core.identity.principal import actor_of_person
from tenants.followup.schemas import AttemptPost
from tenants.followup.service import record
from tenants.followup.today import read_today

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    import httpx

    from core.database import TenantRef

HEARD = ("died", "transferred_out")


def prepare_work(api: httpx.Client, tenant: TenantRef, people: Sequence[UUID]) -> None:
    """Set up the team and the targets one time; two people have capacity and one of them is away."""
    if api.get("/v1/facility-targets").json()["items"]:
        return
    day = today(tenant.time_zone)
    clinics = [each["datim_id"] for each in api.get("/v1/facilities").json()["items"]][:3]
    for person, clinic, capacity in zip(people, clinics, (12, 8), strict=False):
        _sent(api, "PUT", f"officers/{person}/capacity", facility=clinic, people=capacity)
    away = {"first": str(day), "last": str(day + timedelta(days=6)), "cover_id": str(people[0])}
    _sent(api, "POST", f"officers/{people[1]}/absences", **away)
    for clinic, reached in zip(clinics, (0.8, 0.75, 0.7), strict=False):
        month = f"{day - timedelta(days=60):%Y-%m}-01"
        _sent(api, "PUT", "facility-targets", facility=clinic, month=month, reached=reached, returned=0.6)
    work = read_today(tenant, lambda: tenant_session(tenant, actor="test:1"), "to_trace")
    listed = [] if work is None else [card.patient_id for card in work.people]
    with tenant_session(tenant, actor=actor_of_person(people[-1])) as session:
        for outcome, patient in zip(HEARD, reversed(listed), strict=False):
            record(session, AttemptPost.model_validate({"id": uuid4(), "patient_id": patient, "outcome": outcome}))
    plan = {"id": str(uuid4()), "kind": "home_visit", "due": str(day), "person_id": str(people[0])}
    _sent(api, "POST", "interventions", patient_id=str(listed[0]), **plan)


def _sent(api: httpx.Client, method: str, path: str, **body: object) -> None:
    answer = api.request(method, f"/v1/{path}", json=body)
    assert answer.is_success, answer.text
