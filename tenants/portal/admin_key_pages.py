"""Pages of a partner's API keys: listed, created and shown one time, revoked."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.clock import now, today
from core.errors import AppError, FieldError, Forbidden, Invalid
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal, permission_words
from core.identity.key_creation import create_for
from core.identity.keys import KeyInfo, count_keys, get_key, list_keys, revoke_key
from core.identity.people.members import names_of
from core.identity.principal import actor_of_person, people_of_actors
from core.web.pages import SEE_OTHER
from tenants.portal import admin_words as words

router = APIRouter()

Reader = Annotated[Principal, Depends(require("keys.read"))]
Writer = Annotated[Principal, Depends(require("keys.write"))]
PageNumber = Annotated[int, Query(ge=1, le=10_000)]
PAGE_SIZE: Final = 25
NAME_MAX: Final = 100
_NAMES: Final = {"name": "key_name", "expires_at": "expires_on"}


class KeyForm(BaseModel):
    """The form of a new key."""

    model_config = ConfigDict(extra="ignore")

    key_name: str = Field(default="", max_length=2 * NAME_MAX)
    permissions: list[str] = Field(default=[], max_length=200)
    expires_on: str = Field(default="", max_length=40)


@router.get("/admin/keys")
def show_keys(
    page: Page,
    principal: Reader,
    scope: TenantScope,
    number: Annotated[PageNumber, Query(alias="page")] = 1,
    done: str = "",
) -> HTMLResponse:
    """Show the partner's keys, newest first; revoked and expired ones stay in the list."""
    keys = list_keys(scope.tenant, limit=PAGE_SIZE, offset=(number - 1) * PAGE_SIZE)
    total = count_keys(scope.tenant)
    return page.render(
        "portal/admin/keys.html",
        principal,
        partner=scope.tenant.name,
        current="/admin",
        keys=[(key, _state(key)) for key in keys],
        creators=_creators(scope, keys),
        number=number,
        pages=max(1, -(-total // PAGE_SIZE)),
        address=lambda at: f"/admin/keys?{urlencode({'page': at})}",
        zone=ZoneInfo(scope.tenant.time_zone),
        permission_words=permission_words,
        done=done,
        may_write="keys.write" in principal.permissions,
    )


@router.get("/admin/keys/new")
def show_new(page: Page, _: Writer, scope: TenantScope) -> HTMLResponse:
    """Show the form of a new key."""
    return _form_page(page, scope, KeyForm())


@router.post("/admin/keys/new", dependencies=[CONTROL_DATABASE])
def post_new(page: Page, _: Writer, scope: TenantScope, form: Annotated[KeyForm, Form()]) -> HTMLResponse:
    """Create a key, and show its text one time."""
    try:
        ends = _end_of(form.expires_on, scope)
        created = create_for(scope, _checked_name(form), _checked_permissions(form), ends, source="page")
    except (Invalid, Forbidden) as error:
        return _form_page(page, scope, form, error)
    return page.render(
        "portal/admin/key_created.html",
        scope.principal,
        partner=scope.tenant.name,
        current="/admin",
        created=created,
    )


@router.post("/admin/keys/{key_id}/revoke", dependencies=[CONTROL_DATABASE])
def post_revoke(_: Writer, scope: TenantScope, key_id: UUID) -> RedirectResponse:
    """Revoke a key at once. Revoking it again changes nothing."""
    key = get_key(scope.tenant, key_id)
    actor = scope.principal.actor
    revoke_key(scope.tenant, str(key.id), actor=actor, source="page", request_id=scope.request_id)
    return RedirectResponse("/admin/keys?done=revoked", SEE_OTHER)


def _checked_name(form: KeyForm) -> str:
    name = " ".join(form.key_name.split())
    if not 0 < len(name) <= NAME_MAX:
        detail = "the key needs a name"
        raise Invalid(detail, errors=[FieldError("key_name", "is empty or too long")])
    return name


def _checked_permissions(form: KeyForm) -> list[str]:
    if not form.permissions:
        detail = "the key needs a permission"
        raise Invalid(detail, errors=[FieldError("permissions", "names none")])
    return form.permissions


def _end_of(text: str, scope: Scope) -> datetime | None:
    """Return the end of the day in the partner's time zone; None for no text.

    Raises:
        Invalid: the text is not a day, or the day is past.
    """
    if not text.strip():
        return None
    detail, zone = "the day is not valid", ZoneInfo(scope.tenant.time_zone)
    wrong = Invalid(detail, errors=[FieldError("expires_on", "is not a day after today")])
    try:
        day = date.fromisoformat(text.strip())
        following = day + timedelta(days=1)
    except (ValueError, OverflowError):
        raise wrong from None
    if day < today(scope.tenant.time_zone):
        raise wrong
    return datetime.combine(following, time(), zone).astimezone(UTC)


def _state(key: KeyInfo) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now() else "active"


def _creators(scope: Scope, keys: list[KeyInfo]) -> dict[str, str]:
    """Actor -> name of those creators who are people of the partner."""
    people = people_of_actors(key.created_by for key in keys)
    return {actor_of_person(person): name for person, name in names_of(scope.tenant, people).items()}


def _form_page(page: PageContext, scope: Scope, form: KeyForm, error: AppError | None = None) -> HTMLResponse:
    own = sorted(scope.principal.permissions)
    return page.render(
        "portal/admin/key_new.html",
        scope.principal,
        status=200 if error is None else error.status,
        partner=scope.tenant.name,
        current="/admin",
        form=form,
        permissions=[(name, permission_words(name), "") for name in own],
        problem=None if error is None else words.problem_of(error, _NAMES),
    )
