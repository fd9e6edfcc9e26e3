"""The roles of a tenant, built-in and its own: list, create, change, delete."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import text
from uuid_utils.compat import uuid7

from core import audit
from core.clock import now
from core.database import tenant_session
from core.errors import Conflict, FieldError, Forbidden, Invalid, NotFound, phrase
from core.errors.nearest import remedy_for
from core.identity.permissions import all_permissions
from core.identity.roles import ADMIN, ROLES, permissions_of_role
from core.identity.tenant_roles.changes import changing
from core.identity.tenant_roles.compiled import RoleRules, compile_roles

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

    from core.database import TenantRef, TenantSession
    from core.web.etag import ExpectedVersions

NAME: Final = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
NAME_MAX, MEANING_MAX, MOST = 40, 200, 100
INCLUDABLE: Final = tuple(sorted(role.name for role in ROLES.values() if not role.operator and role.name != ADMIN))
"""The built-in roles that a role may include: all except the admin's. The rule that a tenant keeps one admin counts the
people with that role itself.
"""

_COLUMNS = "name, meaning, includes, permissions, version_id"


@dataclass(frozen=True, slots=True)
class RoleView:
    """A role as tenants see it.

    Attributes:
        built_in: it comes with the platform, and cannot be changed.
        includes: the built-in roles that it includes.
        permissions: its own, without those of the roles that it includes.
        effective_permissions: all that it permits.
        version_id: None for a built-in role.
    """

    name: str
    meaning: str
    built_in: bool
    includes: tuple[str, ...]
    permissions: tuple[str, ...]
    effective_permissions: tuple[str, ...]
    version_id: UUID | None


@dataclass(frozen=True, slots=True)
class RoleDraft:
    """A role to store."""

    name: str
    meaning: str
    includes: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoleAuthor:
    """The principal who changes roles.

    Attributes:
        actor: for the audit.
        source: for the audit: ``api`` or ``cli``.
        permissions: what they may do, and so the most that a role of theirs permits; None for an operator.
    """

    actor: str
    source: str = "api"
    permissions: frozenset[str] | None = None
    request_id: str | None = None


def list_roles(tenant: TenantRef) -> list[RoleView]:
    """The built-in roles for tenants, then the tenant's own by name."""
    with tenant_session(tenant, actor="system:roles", readonly=True) as session:
        own = _own(session)
    return [_built_in(name) for name in ROLES if not ROLES[name].operator] + own


def get_role(tenant: TenantRef, name: str) -> RoleView:
    """Return one role of the tenant, built-in or its own.

    Raises:
        NotFound: there is no such role.
    """
    return _named(list_roles(tenant), name)


def create_role(tenant: TenantRef, draft: RoleDraft, author: RoleAuthor) -> RoleView:
    """Create a role of the tenant's own.

    Raises:
        Invalid: the name, an included role or a permission is not valid.
        Forbidden: it permits what the author may not do.
        Conflict: there is a role of this name, or there are too many.
    """
    checked = _checked(draft, author)
    if draft.name in ROLES:
        raise _taken()
    with changing(tenant, actor=author.actor, request_id=author.request_id) as (_, session):
        present = _own(session)
        if any(role.name == draft.name for role in present):
            raise _taken()
        if len(present) >= MOST:
            detail = phrase("the tenant has {most} roles of its own, and cannot have more", most=MOST)
            raise Conflict(detail, remedy="Delete a role that nobody has.")
        with session.cursor() as cursor:
            _store(cursor, checked, author)
        _record(session, author, "create", checked)
        return _view(session, draft.name)


def change_role(
    tenant: TenantRef, draft: RoleDraft, author: RoleAuthor, expected: ExpectedVersions | None = None
) -> RoleView:
    """Replace the meaning and permissions of a tenant's own role. Takes effect with everybody's next request.

    Raises:
        NotFound: the tenant has no such role.
        PreconditionFailed: it was changed meanwhile.
        Invalid: an included role or a permission is not valid.
        Forbidden: it permits what the author may not do.
        Conflict: the role is built in.
    """
    _changeable(tenant, draft.name)
    checked = _checked(draft, author)
    with changing(tenant, actor=author.actor, request_id=author.request_id) as (_, session):
        _check_version(_view(session, draft.name), expected)
        with session.cursor() as cursor:
            _store(cursor, checked, author)
        _record(session, author, "change", checked)
        return _view(session, draft.name)


def delete_role(tenant: TenantRef, name: str, author: RoleAuthor, expected: ExpectedVersions | None = None) -> None:
    """Delete a role of the tenant's own that nobody has.

    Raises:
        NotFound: the tenant has no such role.
        PreconditionFailed: it was changed meanwhile.
        Conflict: somebody has it, or it is built in.
    """
    _changeable(tenant, name)
    with changing(tenant, actor=author.actor, request_id=author.request_id) as (platform, session):
        _check_version(_view(session, name), expected)
        holders = platform.execute(
            text("SELECT count(*) FROM platform.memberships WHERE tenant_id = :tenant AND :name = ANY(roles)"),
            {"tenant": tenant.id, "name": name},
        ).scalar_one()
        if holders:
            detail = phrase("{count} of the tenant's people have this role", count=holders)
            raise Conflict(detail, remedy="Give them another role first.")
        with session.cursor() as cursor:
            cursor.execute("DELETE FROM roles WHERE name = %s", (name,))
        audit.record(session, f"{author.source}:role:delete", "role", None, {"name": name})


def _checked(draft: RoleDraft, author: RoleAuthor) -> RoleDraft:
    """The draft in the form in which it is stored.

    Raises:
        Invalid: the name, an included role or a permission is not valid.
        Forbidden: it permits what the author may not do.
    """
    meaning, errors = " ".join(draft.meaning.split()), []
    if len(draft.name) > NAME_MAX or not re.fullmatch(NAME, draft.name):
        remedy = phrase("Write up to {most} small letters, digits and hyphens, such as case-lead.", most=NAME_MAX)
        errors.append(FieldError("name", "cannot be the name of a role", remedy))
    if not 0 < len(meaning) <= MEANING_MAX or not meaning.isprintable():
        errors.append(
            FieldError("meaning", "is empty or too long", phrase("Give 1 to {most} characters.", most=MEANING_MAX))
        )
    remedy = phrase("Choose among {names}.", names=", ".join(INCLUDABLE))
    errors += _strangers("includes", draft.includes, INCLUDABLE, "is not a role that can be included", remedy)
    remedy = "See effective_permissions of partner_admin in GET /v1/roles."
    errors += _strangers("permissions", draft.permissions, all_permissions(), "is not a permission", remedy)
    if errors:
        detail = "the role is not valid"
        raise Invalid(detail, errors=errors)
    granted = compile_roles([RoleRules(draft.name, draft.includes, draft.permissions)])[draft.name]
    more = sorted(granted - author.permissions) if author.permissions is not None else []
    if more:
        detail = phrase("a role cannot permit what you may not do: {names}", names=", ".join(more[:3]))
        raise Forbidden(detail, remedy="Leave it out, or ask an admin of the tenant.")
    return replace(
        draft,
        meaning=meaning,
        includes=tuple(sorted(set(draft.includes))),
        permissions=tuple(sorted(set(draft.permissions))),
    )


def _strangers(field: str, names: Iterable[str], known: Iterable[str], problem: str, remedy: str) -> list[FieldError]:
    allowed, command = frozenset(known), "see `iit key permissions` and `iit people roles`"
    return [
        FieldError(f"{field}.{place}", problem, remedy_for(name, allowed, remedy), command)
        for place, name in enumerate(names)
        if name not in allowed
    ]


def _changeable(tenant: TenantRef, name: str) -> None:
    """Reject an invalid change before marking the roles as changing, so that most mistakes clear no process's cache.

    Raises:
        NotFound: the tenant has no such role.
        Conflict: the role is built in.
    """
    if get_role(tenant, name).built_in:
        detail = "the role comes with the platform, and stays as it is"
        raise Conflict(detail, remedy="Create a role of your own that includes it.")


def _store(cursor: psycopg.Cursor[tuple[object, ...]], draft: RoleDraft, author: RoleAuthor) -> None:
    cursor.execute(
        "INSERT INTO roles (name, version_id, meaning, includes, permissions, changed_at, changed_by)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (name) DO UPDATE SET version_id = excluded.version_id,"
        " meaning = excluded.meaning, includes = excluded.includes, permissions = excluded.permissions,"
        " changed_at = excluded.changed_at, changed_by = excluded.changed_by",
        (
            draft.name,
            uuid7(),
            draft.meaning,
            list(draft.includes),
            list(draft.permissions),
            now(),
            author.actor,
        ),
    )


def _record(session: TenantSession, author: RoleAuthor, act: str, draft: RoleDraft) -> None:
    detail = {"name": draft.name, "includes": list(draft.includes), "permissions": list(draft.permissions)}
    audit.record(session, f"{author.source}:role:{act}", "role", None, detail)


def _own(session: TenantSession) -> list[RoleView]:
    with session.cursor() as cursor:
        cursor.execute(f"SELECT {_COLUMNS} FROM roles ORDER BY name")  # noqa: S608 - constants
        rows = cursor.fetchall()
    compiled = compile_roles(RoleRules(row[0], tuple(row[2]), tuple(row[3])) for row in rows)
    return [
        RoleView(name, meaning, False, tuple(includes), tuple(names), tuple(sorted(compiled[name])), version)  # noqa: FBT003
        for name, meaning, includes, names, version in rows
    ]


def _view(session: TenantSession, name: str) -> RoleView:
    return _named(_own(session), name)


def _check_version(role: RoleView, expected: ExpectedVersions | None) -> None:
    if expected is not None and role.version_id is not None:
        expected.check(role.version_id)


def _built_in(name: str) -> RoleView:
    permitted = tuple(sorted(permissions_of_role(name)))
    return RoleView(name, ROLES[name].meaning, True, (), permitted, permitted, None)  # noqa: FBT003


def _named(roles: list[RoleView], name: str) -> RoleView:
    for role in roles:
        if role.name == name:
            return role
    detail = "the tenant has no such role"
    raise NotFound(detail, remedy="See GET /v1/roles.", command="see `iit roles list`")


def _taken() -> Conflict:
    detail = "there is a role of this name already"
    return Conflict(detail, remedy="Choose another name, or change that role.")
