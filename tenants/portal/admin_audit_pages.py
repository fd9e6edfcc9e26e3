"""The page of the audit: who did what, to which record, and when. Reading it is in the audit too."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Path, Query
from fastapi.responses import HTMLResponse

from core.access import Scope, TenantDb, TenantScope, require
from core.access.pages import Page
from core.audit import record
from core.audit.repository import Look, find_events, find_looks
from core.errors import Invalid, NotFound
from core.identity import Principal
from core.identity.keys import list_keys
from core.identity.people.members import list_members
from core.identity.principal import actor_of_person
from core.web.cursors import Sort
from core.web.paging import PageRequest
from core.web.texts import gettext as _
from tenants.portal import audit_words as words

router = APIRouter()

Reader = Annotated[Principal, Depends(require("audit.read"))]
Number = Annotated[int | None, Query(ge=1, le=2**63 - 1)]
PAGE_SIZE: Final = 50
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

    def address(self, **more: object) -> str:
        """The address of the page with these filters."""
        filled = {name: value for name, value in asdict(self).items() if value} | more
        return f"/admin/audit?{urlencode(filled)}" if filled else "/admin/audit"


def filters_of(who: Text = "", action: Text = "", subject: Text = "", since: Text = "", until: Text = "") -> Filters:
    """The filters in the address."""
    return Filters(who.strip(), action.strip(), subject.strip(), since.strip(), until.strip())


@router.get("/admin/audit")
def show_audit(
    page: Page,
    principal: Reader,
    scope: TenantScope,
    db: TenantDb,
    filters: Annotated[Filters, Depends(filters_of)],
    before: Number = None,
) -> HTMLResponse:
    """Show the acts that the filters ask for, newest first: one line for each look, however many records it concerned.

    ``before`` is the number of an event: the page has older looks.
    """
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
    looks: Sequence[Look] = ()
    if not errors:
        looks = find_looks(
            db,
            before=before,
            limit=PAGE_SIZE + 1,
            subject_id=subject_id,
            actions=words.actions_of(filters.action) if filters.action else (),
            since=since,
            until=until,
            actor=filters.who or None,
        )
        record(db, "page:audit:read", "audit", subject_id)
    shown = looks[:PAGE_SIZE]
    return page.render(
        "portal/admin/audit.html",
        principal,
        status=Invalid.status if errors else 200,
        partner=scope.tenant.name,
        current="/admin",
        looks=shown,
        older=filters.address(before=shown[-1].event_id) if len(looks) > PAGE_SIZE else None,
        newest=filters.address() if before is not None else None,
        filters=filters,
        errors=errors,
        names=_names(scope),
        words=words,
        links=LINKS,
        zone=zone,
    )


@router.get("/admin/audit/{event_id}")
def show_look(
    page: Page,
    principal: Reader,
    scope: TenantScope,
    db: TenantDb,
    event_id: Annotated[int, Path(ge=1, le=2**63 - 1)],
    number: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> HTMLResponse:
    """Show each record that one look concerned.

    Raises:
        NotFound: there is no such event.
    """
    paging = PageRequest(number, PAGE_SIZE, f"/admin/audit/{event_id}", sort=Sort.parse("-id"), keyed=True)
    part = find_events(db, paging, subject_id=None, action=None, since=None, until=None, look=event_id)
    if not part.total:
        detail = "there is no such act"
        raise NotFound(detail)
    record(db, "page:audit:read", "audit", None)
    return page.render(
        "portal/admin/audit_look.html",
        principal,
        partner=scope.tenant.name,
        current="/admin",
        events=part.rows,
        total=part.total,
        number=number,
        page_size=PAGE_SIZE,
        address=f"/admin/audit/{event_id}",
        names=_names(scope),
        words=words,
        links=LINKS,
        zone=ZoneInfo(scope.tenant.time_zone),
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
