"""Page of the silences: times in which channels do not learn of some alerts."""

from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.clock import now
from core.errors import AppError, Conflict, Invalid
from core.identity import Principal
from core.identity.people.members import names_of
from core.identity.principal import actor_of_person, people_of_actors
from core.web.pages import SEE_OTHER
from core.web.texts import gettext as _
from tenants.alerts import management
from tenants.alerts.kinds import KINDS
from tenants.alerts.management_schemas import SilenceIn
from tenants.cohort import repository as cohort_repository
from tenants.portal import alert_words as words
from tenants.portal.alert_forms import SilenceForm, checked, local_text, problem_of
from tenants.records.places import facility_named

router = APIRouter()

Manager = Annotated[Principal, Depends(require("alerts.manage"))]
HOME: Final = "/alerts/silences"
USUAL: Final = timedelta(hours=12)
"""How long a silence lasts unless somebody chooses another end."""


@router.get("/alerts/silences")
def show_silences(page: Page, _: Manager, scope: TenantScope, done: str = "") -> HTMLResponse:
    """Show the silences that have not ended, with the form of a new one."""
    zone = ZoneInfo(scope.tenant.time_zone)
    return _page(page, scope, SilenceForm(until=local_text(now() + USUAL, zone)), done=done)


@router.post("/alerts/silences")
def post_silence(page: Page, _: Manager, scope: TenantScope, form: Annotated[SilenceForm, Form()]) -> Response:
    """Silence some alerts for a time."""
    try:
        body = checked(SilenceIn, form.values(ZoneInfo(scope.tenant.time_zone)))
        with scope.session() as session:
            place = facility_named(session, body.facility)
            values = body.model_dump(exclude={"facility"}) | {"facility_uuid": None if place is None else place.uuid}
            management.add_silence(session, values, source="page")
    except (Invalid, Conflict) as error:
        return _page(page, scope, form, error=error)
    return RedirectResponse(f"{HOME}?done=silenced", SEE_OTHER)


@router.post("/alerts/silences/{silence_id}/end")
def post_silence_end(_: Manager, scope: TenantScope, silence_id: UUID) -> Response:
    """End a silence now."""
    with scope.session() as session:
        management.end_silence(session, silence_id, source="page")
    return RedirectResponse(f"{HOME}?done=ended", SEE_OTHER)


def _page(
    page: PageContext, scope: Scope, form: SilenceForm, *, done: str = "", error: AppError | None = None
) -> HTMLResponse:
    with scope.session(readonly=True) as session:
        rows = management.list_silences(session)
        facilities = cohort_repository.facilities(session)
    people = names_of(scope.tenant, people_of_actors([row.created_by for row in rows]))
    return page.render(
        "portal/alerts/silences.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/alerts",
        sections=words.sections_of_alerts(scope.principal, HOME),
        silences=rows,
        now=now(),
        names={actor_of_person(person): name for person, name in people.items()},
        form=form,
        rules=[("", _("Every rule"))] + [(kind.name, _(kind.title)) for kind in KINDS.values()],
        places={row.uuid: row.name for row in facilities},
        facilities=[("", _("Every facility"))] + [(row.datim_id, row.name) for row in facilities],
        kinds=KINDS,
        problem=None if error is None else problem_of(error),
        words=words,
        done=done,
        zone=ZoneInfo(scope.tenant.time_zone),
        zone_name=scope.tenant.time_zone,
    )
