"""Creation, lookup, listing and suspension of tenants."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from core.audit.platform import acts as recent_acts
from core.audit.platform import record_act
from core.clock import now
from core.clock.time import zone
from core.database import (
    DEFAULT_DATABASE,
    TenantMoving,
    TenantRef,
    TenantSession,
    databases,
    owner_session,
    platform_session,
    psycopg_connection,
    require_migrated,
)
from core.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from core.identity.keys import issue
from core.identity.operator import ACTOR
from core.privacy import create_tenant_keys
from core.tenancy.archive.tombstones import reject_gone
from core.tenancy.models import Tenant
from core.tenancy.models_places import RetiredSchema
from core.tenancy.provisioning import new_schema_name, provision

SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST_SLUG = 40
LONGEST_NAME = 200
LONGEST_REASON = 200


class _Inactive(NamedTuple):
    """The state of a tenant that is not active, and the remedy."""

    problem: str
    remedy: str
    command: str = ""


_INACTIVE = {
    "suspended": _Inactive(
        "is suspended", "Ask the operator of this installation to resume it.", command="`iit tenant resume` lifts it"
    ),
    "restoring": _Inactive(
        "is being restored from an archive",
        "Wait until it is done.",
        command="wait until it is done; if it was killed, run it again, or `iit tenant delete`",
    ),
    "deleting": _Inactive(
        "is scheduled for deletion",
        "Ask the operator of this installation to keep it.",
        command="`iit tenant undelete` cancels it",
    ),
    "purging": _Inactive("is being deleted", "This cannot be undone; its archive can be restored."),
}
"""The reason for each state that is not active."""


@dataclass(frozen=True, slots=True)
class CreatedTenant:
    """A new tenant and its first API key, which is stored nowhere and shown only now."""

    ref: TenantRef
    api_key: str = field(repr=False)


def create_tenant(
    slug: str,
    name: str,
    *,
    time_zone: str = "Africa/Lagos",
    database: str = DEFAULT_DATABASE,
    actor: str = ACTOR,
) -> CreatedTenant:
    """Create a tenant: its role, schema, keys and first API key, in one transaction of the owner.

    In another data database than the first, two transactions create it, and the row that makes it known comes last. If
    the process is killed between them, a harmless schema without a tenant remains.

    Args:
        slug: short name for commands: lower-case letters, digits and single hyphens, at most 40 characters.
        name: the partner's name, as people write it.
        time_zone: IANA name; determines the tenant's "today".
        database: the data database for its data.
        actor: who creates it.

    Raises:
        Invalid: slug, name or time zone is not acceptable.
        Conflict: the slug is taken.
        Unavailable: the owner's login is not configured, or the database cannot be reached.
    """
    check(slug, name, time_zone, database)
    schema = new_schema_name()
    row = Tenant(slug=slug, name=name.strip(), schema_name=schema, role_name=schema, time_zone=time_zone)
    row.database = database
    ref = row.ref()
    with owner_session() as session:
        reject_gone(session, slug)
        session.add(row)
        try:
            session.flush()
        except IntegrityError:
            detail = f"a tenant {slug!r} exists already"
            command = "choose another slug, or see `iit tenant list`"
            raise Conflict(detail, remedy="Choose another slug.", command=command) from None
        key = issue(session, ref.id, created_by=actor)
        place = {"slug": slug, "database": database}
        record_act(session, "cli:tenant:create", actor=actor, tenant_id=ref.id, detail=place)
        if database == DEFAULT_DATABASE:
            _make(session, ref, actor)
        else:
            with owner_session(database) as elsewhere:
                _make(elsewhere, ref, actor)
    return CreatedTenant(ref, key.plaintext)


def _make(session: Session, ref: TenantRef, actor: str) -> None:
    """Create the tenant's schema and keys in its data database."""
    provision(psycopg_connection(session), ref.id, ref.schema_name)
    with TenantSession(session.connection(), ref, actor=actor, as_owner=True) as within:
        create_tenant_keys(within)


def get_tenant(slug: str) -> TenantRef:
    """The active tenant with this slug.

    Raises:
        NotFound: no tenant has this slug.
        Forbidden: it is suspended.
    """
    ref = describe_tenant(slug).ref()
    if ref.state != "active":
        why = _INACTIVE.get(ref.state, _INACTIVE["suspended"])
        detail = f"the tenant {slug!r} {why.problem}"
        raise Forbidden(detail, remedy=why.remedy, command=why.command)
    return ref


def describe_tenant(slug: str) -> Tenant:
    """Return the row of the tenant with this slug, whatever its state. For operators.

    Raises:
        NotFound: no tenant has this slug.
    """
    with platform_session() as session:
        row = session.scalar(select(Tenant).where(Tenant.slug == slug))  # type: ignore[arg-type]  # SQLModel types columns as values
    if row is None:
        detail = f"there is no tenant {slug!r}"
        raise NotFound(detail, command="see `iit tenant list`")
    return row


def tenant_of_id(tenant_id: UUID) -> TenantRef:
    """Return the tenant with this id, whatever its state.

    Raises:
        NotFound: no tenant has this id.
    """
    with platform_session() as session:
        row = session.get(Tenant, tenant_id)
    if row is None:
        detail = "there is no tenant with this id"
        raise NotFound(detail)
    return row.ref()


def tenant_of_role(role: str) -> TenantRef:
    """Return the tenant with this role, whatever its state. The row of a job names its tenant by role.

    Raises:
        NotFound: no tenant has this role.
        TenantMoving: the tenant has just left it; the job follows.
    """
    with platform_session() as session:
        row = session.scalar(select(Tenant).where(Tenant.role_name == role))  # type: ignore[arg-type]  # as above
        left = row is None and session.scalar(select(RetiredSchema).where(RetiredSchema.role_name == role)) is not None  # type: ignore[arg-type]  # as above
    if left:
        detail = "the job's tenant has just been moved"
        raise TenantMoving(detail, retry_after=1)
    if row is None:
        detail = "the job's tenant does not exist"
        raise NotFound(detail)
    return row.ref()


def list_tenants() -> list[TenantRef]:
    """Return all tenants in the order of their slugs, including suspended ones."""
    with platform_session() as session:
        return [row.ref() for row in session.scalars(select(Tenant).order_by(Tenant.slug))]


@dataclass(frozen=True, slots=True)
class Suspension:
    """Since when a tenant is suspended, who suspended it, and why; ``reason`` is empty where nobody said it."""

    since: datetime
    actor: str
    reason: str


def suspend_tenant(slug: str, *, actor: str = ACTOR, source: str = "cli", reason: str = "") -> TenantRef:
    """Reject the tenant's requests and pause its jobs until it is resumed. Its data stay.

    Args:
        slug: of the tenant.
        actor: who suspends it.
        source: ``cli`` or ``page``.
        reason: why, for other operators; it names no person.

    Raises:
        NotFound: no tenant has this slug.
        Conflict: the tenant is being restored or deleted.
        Invalid: the reason is too long.
    """
    if len(reason) > LONGEST_REASON or not reason.isprintable():
        detail, problem = "the reason is not valid", f"is not one line of at most {LONGEST_REASON} characters"
        raise Invalid(detail, errors=[FieldError("reason", problem, "Say it in one short line.")])
    return _set_state(slug, "suspended", f"{source}:tenant:suspend", actor, reason.strip())


def resume_tenant(slug: str, *, actor: str = ACTOR, source: str = "cli") -> TenantRef:
    """Lift the suspension of a tenant.

    Raises:
        NotFound: no tenant has this slug.
        Conflict: the tenant is being restored or deleted.
    """
    return _set_state(slug, "active", f"{source}:tenant:resume", actor)


def suspension_of(tenant: Tenant) -> Suspension | None:
    """Return since when, by whom and why a tenant is suspended; None if it is active, or in a phase."""
    if tenant.state != "suspended" or tenant.phase is not None:
        return None
    acts = recent_acts(tenant_id=tenant.id, actions=("cli:tenant:suspend", "page:tenant:suspend"), limit=1)
    if not acts:
        return Suspension(tenant.updated_at, "", "")
    return Suspension(acts[0]["occurred_at"], acts[0]["actor"], (acts[0]["detail"] or {}).get("reason", ""))


def _set_state(slug: str, state: str, action: str, actor: str, reason: str = "") -> TenantRef:
    with platform_session() as session:
        row = session.scalar(select(Tenant).where(Tenant.slug == slug).with_for_update())  # type: ignore[arg-type]  # as above
        if row is None:
            detail = f"there is no tenant {slug!r}"
            raise NotFound(detail, command="see `iit tenant list`")
        if row.phase is not None:
            why = _INACTIVE[row.phase]
            detail = f"the tenant {slug!r} {why.problem}"
            raise Conflict(detail, remedy=why.remedy, command=why.command)
        if row.state != state:
            row.state = state
            row.updated_at = now()
            record_act(session, action, actor=actor, tenant_id=row.id, detail={"reason": reason} if reason else None)
        return row.ref()


def check(slug: str, name: str, time_zone: str, database: str) -> None:
    """Reject an unacceptable slug, name, time zone or database of a new tenant.

    Raises:
        Invalid: names each wrong field.
        DatabaseNotMigrated: the database is not at the code's revision.
        MasterKeyWrong: this process has another master key than the installation.
    """
    from core.installation import check_master_key

    errors = []
    if database not in databases():
        errors.append(
            FieldError("database", f"{database!r} is not a data database", f"one of {', '.join(databases())}")
        )
    if not SLUG.fullmatch(slug) or len(slug) > LONGEST_SLUG:
        remedy = f"use lower-case letters, digits and single hyphens, a letter first, at most {LONGEST_SLUG}"
        errors.append(FieldError("slug", f"{slug!r} is not a slug", remedy))
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        errors.append(FieldError("name", "is empty, too long or not printable", f"1 to {LONGEST_NAME} characters"))
    try:
        zone(time_zone)
    except ValueError:
        errors.append(
            FieldError("time_zone", f"{time_zone!r} is not a time zone", "an IANA name, such as Africa/Lagos")
        )
    if errors:
        detail = "the tenant cannot be created: " + "; ".join(f"{error.field} {error.problem}" for error in errors)
        raise Invalid(detail, errors=errors)
    require_migrated(database)
    check_master_key()
