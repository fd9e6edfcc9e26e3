"""The page on which a second person verifies deaths and transfers."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse

from core.access import TenantScope, require
from core.access.pages import Page
from core.identity import Principal
from core.identity.people import members
from core.identity.principal import people_of_actors
from core.web.pages import SEE_OTHER
from core.web.paging import PageRequest
from core.web.texts import gettext as _
from core.web.texts import marked, shown_date
from tenants.followup import proposals
from tenants.portal import patient_words
from tenants.portal.words import names_of_patients, unnamed
from tenants.portal.work_words import sections_of_work

router = APIRouter()

Verifier = Annotated[Principal, Depends(require("statuses.verify", confined=True, by_patient=True))]
HOME: Final = "/follow-up/verify"
MOST: Final = 50
DONE: Final = {
    "verified": marked("Verified. The status of the patient has changed."),
    "rejected": marked("Rejected. The status of the patient stays as it was."),
}
STATES: Final = {"died": marked("Died on {day}"), "transferred_out": marked("In care elsewhere since {day}")}


@router.get("/follow-up/verify")
def show_proposals(page: Page, principal: Verifier, scope: TenantScope, done: str = "") -> HTMLResponse:
    """Show the deaths and transfers that wait for a second person. ``done`` says what was just decided."""
    may_open = "patients.read" in principal.permissions
    with scope.session() as session:
        paging = PageRequest(1, MOST, HOME, sort=proposals.NEWEST_FIRST)
        rows = proposals.read_list(session, "proposed", paging).rows
        names = names_of_patients(session, [row.patient_uuid for row in rows]) if may_open else {}
    people = members.names_of(scope.tenant, people_of_actors({row.proposed_by for row in rows}))
    cards: list[dict[str, Any]] = [
        {
            "id": row.uuid,
            "patient_id": row.patient_uuid,
            "title": names.get(row.patient_uuid) or unnamed(row.patient_uuid),
            "text": _(STATES[row.state]).format(day=shown_date(row.happened_on)),
            "by": _("by {name}").format(name=patient_words.actor_words(row.proposed_by, people, principal.actor)),
            "own": row.proposed_by == principal.actor,
        }
        for row in rows
    ]
    return page.render(
        "portal/follow_up/verify.html",
        principal,
        partner=scope.tenant.name,
        current="/follow-up",
        sections_of_work=sections_of_work(principal, HOME),
        proposals=cards,
        may_open=may_open,
        done=_(DONE[done]) if done in DONE else "",
    )


@router.post("/follow-up/verify/{proposal_id}/verified")
def post_verified(_principal: Verifier, scope: TenantScope, proposal_id: UUID) -> RedirectResponse:
    """Verify a proposal of somebody else."""
    with scope.session() as session:
        proposals.decide(session, proposal_id, "verified")
    return RedirectResponse(f"{HOME}?done=verified", SEE_OTHER)


@router.post("/follow-up/verify/{proposal_id}/rejected")
def post_rejected(_principal: Verifier, scope: TenantScope, proposal_id: UUID) -> RedirectResponse:
    """Reject a proposal of somebody else."""
    with scope.session() as session:
        proposals.decide(session, proposal_id, "rejected")
    return RedirectResponse(f"{HOME}?done=rejected", SEE_OTHER)
