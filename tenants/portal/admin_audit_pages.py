"""The page of the audit: who did what, to which record, and when. Reading it is in the audit too."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse

from core.access import Scope, TenantDb, TenantScope, require
from core.access.pages import Page
from core.audit import record
from core.audit.repository import find_events
from core.audit.service import declared_actions
from core.errors import Invalid
from core.identity import Principal
from core.identity.keys import list_keys
from core.identity.people.members import list_members
from core.identity.principal import actor_of_person
from core.web.paging import PageRequest, long_pages
from core.web.texts import gettext as _

router = APIRouter()

Reader = Annotated[Principal, Depends(require("audit.read"))]
Paged = Annotated[PageRequest, Depends(long_pages({"id": int}, "-id", identity=int))]
Text = Annotated[str, Query(max_length=200)]
MOST: Final = 500
"""People and keys to choose from, each."""

LINKS: Final = {"person": "/admin/people/", "patient": "/patients/"}
"""Kind of a subject -> where its page is."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of the form, as texts; empty for all."""

    who: str
    action: str
    subject: str
    since: str
    until: str


def filters_of(who: Text = "", action: Text = "", subject: Text = "", since: Text = "", until: Text = "") -> Filters:
    """The filters in the address."""
    return Filters(who.strip(), action.strip(), subject.strip(), since.strip(), until.strip())


@router.get("/admin/audit")
def show_audit(
    page: Page,
    principal: Reader,
    scope: TenantScope,
    db: TenantDb,
    paging: Paged,
    filters: Annotated[Filters, Depends(filters_of)],
) -> HTMLResponse:
    """Show the acts that the filters ask for, newest first."""
    zone, errors = ZoneInfo(scope.tenant.time_zone), {}
    subject_id = since = until = None
    try:
        subject_id = UUID(filters.subject) if filters.subject else None
    except ValueError:
        errors["subject"] = _("Paste the whole id of a record.")
    try:
        since = _beginning(filters.since, zone)
    except (ValueError, OverflowError):
        errors["since"] = _("Write the day as YYYY-MM-DD.")
    try:
        until = _beginning(filters.until, zone, days=1)
    except (ValueError, OverflowError):
        errors["until"] = _("Write the day as YYYY-MM-DD.")
    head, events = paging.head(0), []
    if not errors:
        part = find_events(
            db,
            paging,
            subject_id=subject_id,
            action=filters.action or None,
            actor=filters.who or None,
            since=since,
            until=until,
        )
        record(db, "page:audit:read", "audit", subject_id)
        head, events = paging.head(part.total, part.last), list(part.rows)
    names = _names(scope)
    return page.render(
        "portal/admin/audit.html",
        principal,
        status=Invalid.status if errors else 200,
        partner=scope.tenant.name,
        current="/admin",
        events=events,
        head=head,
        filters=filters,
        errors=errors,
        names=names,
        actions=[(action, action) for action in sorted(declared_actions())],
        links=LINKS,
        zone=zone,
    )


def _beginning(text: str, zone: ZoneInfo, *, days: int = 0) -> datetime | None:
    """Return when the day begins in the zone, or ``days`` after it; None for no text.

    Raises:
        ValueError, OverflowError: the text is not a day.
    """
    if not text:
        return None
    day = date.fromisoformat(text) + timedelta(days=days)
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _names(scope: Scope) -> dict[str, str]:
    """Actor -> name, of the partner's people and keys, people first."""
    people, _total = list_members(scope.tenant, limit=MOST)
    keys = list_keys(scope.tenant, limit=MOST)
    named = {actor_of_person(person.id): person.name for person in people}
    return named | {f"api_key:{key.id}": key.name for key in keys}
