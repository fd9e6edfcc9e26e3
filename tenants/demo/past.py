"""A past for the simulated partners: what their people recorded in the last days, by the service that pages call."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from core.clock import today
from core.database import TenantRef, tenant_session
from core.tenancy import list_tenants
from core.web.paging import PageRequest
from tenants.demo.sign_ins import TRACKING_OFFICER
from tenants.followup import service
from tenants.followup.schemas import AttemptFilter, AttemptPost

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tenants.demo.partner_run import PartnerRun
    from tenants.demo.sign_ins import Account, SignIns
    from tenants.followup.outcomes import Medium, OutcomeName

CASE_MANAGER: Final = "case_manager"
NAMESPACE: Final = UUID("8d0f7c1e-5a52-4d7e-9f2b-6c1d3e4f5a60")


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt of the past.

    Attributes:
        days_ago: counted from the day of the list.
        promised_in: days from the day of the list to the promised one; negative where it has passed.
    """

    days_ago: int
    outcome: OutcomeName
    promised_in: int | None = None
    medium: Medium = "phone_call"


TO_TRACE: Final[dict[int, tuple[Try, ...]]] = {
    1: (Try(3, "not_reached"), Try(1, "not_reached", medium="home_visit")),
    2: (Try(4, "promised", promised_in=-1),),
    3: (Try(2, "promised", promised_in=2),),
    4: (Try(1, "wrong_number"),),
    5: (Try(0, "not_reached"),),
    7: (Try(5, "reached"),),
    8: (Try(2, "transferred_out"),),
    9: (Try(0, "promised", promised_in=3),),
    11: (Try(3, "reached"), Try(0, "returned")),
}
AT_RISK: Final[dict[int, tuple[Try, ...]]] = {
    1: (Try(1, "not_reached"),),
    4: (Try(2, "reached"),),
    6: (Try(3, "not_reached"), Try(0, "promised", promised_in=2)),
    8: (Try(2, "promised", promised_in=0),),
}
"""Place on a facility's list, from 0 -> the attempts at the person in that place. All others wait for a first
attempt.
"""


def record_past(partner_run: PartnerRun, sign_ins: SignIns) -> int:
    """Record the attempts of the last days, unless there are attempts already. Returns how many were recorded.

    The tracking officer makes the attempts at the officer's own facilities. The case manager makes all others.
    """
    slug = partner_run.partner.slug
    tenant = next(each for each in list_tenants() if each.slug == slug)
    officer, manager = (sign_ins.of(slug, role) for role in (TRACKING_OFFICER, CASE_MANAGER))
    by_account: dict[str, list[AttemptPost]] = {officer.actor: [], manager.actor: []}
    day = min(date.fromisoformat(partner_run.answers["score"]["as_of"]), today(tenant.time_zone))
    for facility, post in _posts(partner_run.answers["worklist"], day):
        by_account[who_follows(facility, officer, manager).actor].append(post)
    if _has_attempts(tenant, manager):
        return 0
    for actor, posts in by_account.items():
        with tenant_session(tenant, actor=actor) as session:
            for post in posts:
                service.record(session, post)
    return sum(len(posts) for posts in by_account.values())


def _has_attempts(tenant: TenantRef, account: Account) -> bool:
    with tenant_session(tenant, actor=account.actor) as session:
        return service.read_list(session, AttemptFilter(), PageRequest(1, 1, sort=service.NEWEST_FIRST)).total > 0


def who_follows(facility: str, officer: Account, manager: Account) -> Account:
    """Who makes the attempts at a facility: the officer at the officer's own, else the case manager."""
    return officer if facility in (officer.facilities or ()) else manager


def _posts(lists: Mapping[str, Any], day: date) -> Iterator[tuple[str, AttemptPost]]:
    """Facility and attempt, oldest first for each person."""
    for kind, plan in (("to_trace", TO_TRACE), ("at_risk", AT_RISK)):
        places: dict[str, int] = {}
        for person in lists[kind]["people"]:
            facility = person["facility"]
            place = places[facility] = places.get(facility, -1) + 1
            for number, attempt in enumerate(plan.get(place, ())):
                yield facility, _post(person["patient_id"], number, attempt, day)


def _post(patient_id: str, number: int, attempt: Try, day: date) -> AttemptPost:
    promised = None if attempt.promised_in is None else day + timedelta(days=attempt.promised_in)
    return AttemptPost(
        id=uuid5(NAMESPACE, f"{patient_id} {number}"),
        patient_id=UUID(patient_id),
        medium=attempt.medium,
        outcome=attempt.outcome,
        day=day - timedelta(days=attempt.days_ago),
        promised_for=promised,
    )
