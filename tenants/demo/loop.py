"""The closed loop of the demo: last week's lists, what people did about them, and who came back."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid5

from sqlmodel import col, select

from core.cli.output import note
from core.database import TenantRef, tenant_session
from core.jobs.worker import drain
from core.tenancy import list_tenants
from tenants.alerts import acts
from tenants.alerts.history import history_of
from tenants.alerts.kinds import PEOPLE
from tenants.alerts.models import Alert
from tenants.alerts.service import shown
from tenants.demo.past import CASE_MANAGER, NAMESPACE, who_follows
from tenants.demo.sign_ins import TRACKING_OFFICER
from tenants.followup import learning, service
from tenants.followup.funnel import COLUMNS, read_funnel
from tenants.followup.schemas import AttemptPost

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.database import TenantSession
    from tenants.demo.partner_run import PartnerRun
    from tenants.demo.sign_ins import SignIns
    from tenants.followup.outcomes import OutcomeName

OUTCOMES: Final[tuple[OutcomeName | None, ...]] = (
    "promised", "reached", None, "not_reached", "promised", "reached", None, "not_reached"
)  # fmt: skip
"""What became of the attempts at the first people of each facility's list; None: nobody tried, as for all others."""


def earlier_list(partner_run: PartnerRun, day: date, capacity: int) -> None:
    """Score and list as of a day before the newest records, and let the platform raise its alerts about it."""
    slug, as_of = partner_run.partner.slug, day.isoformat()
    partner_run.run("score_before", "score", slug, "--as-of", as_of)
    partner_run.run("worklist_before", "worklist", slug, "--as-of", as_of, "--capacity", str(capacity))
    drain(_tenant(slug))


def close_loop(partner_run: PartnerRun, sign_ins: SignIns) -> None:
    """Record what people did about the earlier lists, and store who came back as the answer ``loop``."""
    partner = partner_run.partner
    if partner.earlier_list_day is None:
        return
    tenant, day = _tenant(partner.slug), partner.earlier_list_day
    manager = sign_ins.of(partner.slug, CASE_MANAGER)
    if "worklist_before" in partner_run.answers:
        officer = sign_ins.of(partner.slug, TRACKING_OFFICER)
        for facility, post in _posts(partner_run.answers["worklist_before"], day):
            with tenant_session(tenant, actor=who_follows(facility, officer, manager).actor) as session:
                service.record(session, post)
        with tenant_session(tenant, actor=manager.actor) as session:
            learning.request_learning(session)
        drain(tenant)
    with tenant_session(tenant, actor=manager.actor) as session:
        (row,) = read_funnel(session, day, day)
        partner_run.answers["loop"] = {
            "simulated": partner.simulated,
            "list_day": day.isoformat(),
            **{name: getattr(row, name) for name in COLUMNS},
            "alerts": _alerts(session),
        }
    note(f"{partner.name}: the loop of last week's lists is closed")


def _posts(lists: dict[str, Any], day: date) -> Iterator[tuple[str, AttemptPost]]:
    """Facility and attempt, on the day of the list and the two days after it."""
    for kind in ("to_trace", "at_risk"):
        places: dict[str, int] = {}
        for person in lists[kind]["people"]:
            place = places[person["facility"]] = places.get(person["facility"], -1) + 1
            outcome = OUTCOMES[place] if place < len(OUTCOMES) else None
            if outcome is not None:
                attempt_id = uuid5(NAMESPACE, f"{person['patient_id']} {day}")
                tried = day + timedelta(days=place % 3)
                values = {"id": attempt_id, "patient_id": person["patient_id"], "outcome": outcome, "day": tried}
                yield person["facility"], AttemptPost.model_validate(values)


def _alerts(session: TenantSession) -> list[dict[str, Any]]:
    """The alerts of the lists, with how many of their people came back; the case manager looks after those open."""
    query = select(Alert).where(col(Alert.alert_type).in_(PEOPLE)).order_by(col(Alert.created_at))
    rows = session.exec(query).all()
    lines = []
    for row, alert in zip(rows, shown(session, rows), strict=True):
        returned = sum(entry.detail.get("returned", 0) for entry in history_of(session, row.uuid))
        if row.status == "open" and returned:
            acts.acknowledge(session, row.uuid, source="page")
        lines.append({"title": alert.title, "returned": returned})
    return sorted(lines, key=lambda each: -each["returned"])[:3]


def _tenant(slug: str) -> TenantRef:
    return next(each for each in list_tenants() if each.slug == slug)
