"""Creates, finds, lists and revokes API keys. Only the creation of a key returns its plaintext."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from uuid_utils.compat import uuid7

from core import audit, telemetry
from core.clock import now
from core.database import TenantRef, look_up, platform_session, psycopg_connection, tenant_session
from core.errors import FieldError, Forbidden, Invalid, NotFound, StorageFull, Unauthenticated, phrase
from core.errors.database import as_app_error
from core.identity.credentials import API_KEY_HEADER, BEARER
from core.identity.key_creators import rights_of
from core.identity.operator import ACTOR
from core.identity.permissions import all_permissions
from core.identity.principal import CredentialOwner, Principal
from core.identity.secrets import new_secret, same, split
from core.identity.tenants import reject_inactive
from core.web.cursors import Sort

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlmodel import Session

USED_EVERY = timedelta(minutes=1)
"""The last use is written at most this often, so that a busy key does not write a row per request."""

_NO_DIGEST = bytes(32)
log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A key without its secret."""

    id: UUID
    prefix: str
    name: str
    permissions: tuple[str, ...] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key with its plaintext, which is not stored and cannot be shown again."""

    id: UUID
    name: str
    plaintext: str


def issue(
    session: Session,
    tenant_id: UUID,
    *,
    name: str = "default",
    permissions: Collection[str] | None = None,
    expires_at: datetime | None = None,
    created_by: str = ACTOR,
) -> CreatedKey:
    """Add a key for the tenant in the caller's transaction. Provisioning creates a tenant and its first key in one.

    Args:
        session: a platform session.
        tenant_id: the tenant of the key.
        name: what it is for, in the operator's words.
        permissions: what it may do; None for every declared permission.
        expires_at: when it stops working; None for never.
        created_by: the actor.

    Raises:
        Invalid: a permission that no feature declares, or an expiry that is past.
    """
    unknown = sorted(set(permissions or ()) - all_permissions())
    if unknown:
        remedy, command = "Choose among the permissions of GET /v1/me.", "see `iit key permissions`"
        errors = [
            FieldError("permissions", phrase("{name!r} is not a permission", name=name), remedy, command)
            for name in unknown
        ]
        detail = phrase("unknown permissions: {listed}", listed=", ".join(unknown))
        raise Invalid(detail, errors=errors)
    if expires_at is not None and expires_at <= now():
        detail = "the key would have expired already"
        raise Invalid(detail, errors=[FieldError("expires_at", "is in the past", "give a later time")])
    secret, key_id = new_secret(), uuid7()
    session.execute(
        text(
            "INSERT INTO platform.api_keys"
            " (id, tenant_id, prefix, secret_hash, name, permissions, created_at, created_by, expires_at)"
            " VALUES (:id, :tenant_id, :prefix, :digest, :name, :permissions, :now, :created_by, :expires_at)"
        ),
        {
            "id": key_id,
            "tenant_id": tenant_id,
            "prefix": secret.prefix,
            "digest": secret.digest,
            "name": name,
            "permissions": None if permissions is None else sorted(permissions),
            "now": now(),
            "created_by": created_by,
            "expires_at": expires_at,
        },
    )
    return CreatedKey(key_id, name, secret.plaintext)


def create_key(
    tenant: TenantRef,
    *,
    name: str,
    permissions: Collection[str] | None = None,
    expires_at: datetime | None = None,
    actor: str = ACTOR,
    created_by: str = "",
    source: str = "cli",
    request_id: str | None = None,
) -> CreatedKey:
    """Create a key for the tenant, and record it in the tenant's audit as ``<source>:api_key:create``.

    ``created_by`` is the actor unless it is given: for a key that a person's key creates, the person.

    Raises:
        Invalid: see ``issue``.
    """
    with platform_session() as session:
        created = issue(
            session,
            tenant.id,
            name=name,
            permissions=permissions,
            expires_at=expires_at,
            created_by=created_by or actor,
        )
        with tenant_session(tenant, actor=actor, request_id=request_id) as scope:
            audit.record(scope, f"{source}:api_key:create", "api_key", created.id)
    return created


_COLUMNS = "id, prefix, name, permissions, created_at, created_by, expires_at, revoked_at, last_used_at"


NEWEST_FIRST = Sort("created_at", descending=True)
_ORDERS = {
    Sort("created_at"): "created_at, id",
    NEWEST_FIRST: "created_at DESC, id DESC",
    Sort("name"): "name, id",
    Sort("name", descending=True): "name DESC, id DESC",
}


def list_keys(
    tenant: TenantRef, *, limit: int | None = None, offset: int = 0, sort: Sort = NEWEST_FIRST
) -> list[KeyInfo]:
    """Return the tenant's keys, revoked ones included."""
    with platform_session() as session:
        rows = session.execute(
            text(
                f"SELECT {_COLUMNS} FROM platform.api_keys WHERE tenant_id = :tenant_id"  # noqa: S608 - constants
                f" ORDER BY {_ORDERS[sort]} LIMIT :limit OFFSET :offset"
            ),
            {"tenant_id": tenant.id, "limit": limit, "offset": offset},
        ).mappings()
        return [_info(row) for row in rows]


def count_keys(tenant: TenantRef) -> int:
    """Return the number of the tenant's keys, revoked ones included."""
    with platform_session() as session:
        counted = text("SELECT count(*) FROM platform.api_keys WHERE tenant_id = :tenant_id")
        return int(session.execute(counted, {"tenant_id": tenant.id}).scalar_one())


def get_key(tenant: TenantRef, key_id: UUID) -> KeyInfo:
    """Return one key of the tenant.

    Raises:
        NotFound: the tenant has no such key.
    """
    with platform_session() as session:
        row = (
            session.execute(
                text(f"SELECT {_COLUMNS} FROM platform.api_keys WHERE tenant_id = :tenant_id AND id = :id"),  # noqa: S608
                {"tenant_id": tenant.id, "id": key_id},
            )
            .mappings()
            .one_or_none()
        )
    if row is None:
        detail = "the tenant has no API key with this id"
        raise NotFound(detail)
    return _info(row)


def _info(row: Mapping[Any, Any]) -> KeyInfo:
    return KeyInfo(**{**row, "permissions": None if row["permissions"] is None else tuple(row["permissions"])})


def revoke_key(
    tenant: TenantRef, key: str, *, actor: str = ACTOR, source: str = "cli", request_id: str | None = None
) -> UUID:
    """Revoke a key at once, by its prefix or id; return its id. A revoked key stays revoked.

    Raises:
        NotFound: the tenant has no such key.
    """
    with platform_session() as session:
        revoked = session.execute(
            text(
                "UPDATE platform.api_keys SET revoked_at = coalesce(revoked_at, :now)"
                " WHERE tenant_id = :tenant_id AND (prefix = :key OR id::text = :key) RETURNING id"
            ),
            {"tenant_id": tenant.id, "key": key, "now": now()},
        ).scalar_one_or_none()
        if revoked is None:
            detail = "the tenant has no key with this prefix or id"
            raise NotFound(detail, remedy="See GET /v1/keys.", command=f"see `iit key list {tenant.slug}`")
        with tenant_session(tenant, actor=actor, request_id=request_id) as scope:
            audit.record(scope, f"{source}:api_key:revoke", "api_key", revoked)
    return UUID(str(revoked))


_VERIFY = (
    "SELECT k.id AS key_id, k.name AS key_name, k.secret_hash, k.permissions, k.created_by, k.expires_at, k.revoked_at,"
    " k.last_used_at, t.id, t.slug, t.name, t.schema_name, t.role_name, t.database, t.time_zone,"
    " coalesce(t.phase, t.state) AS state"
    " FROM platform.api_keys k JOIN platform.tenants t ON t.id = k.tenant_id WHERE k.{column} = %s"
)
_USED = (
    "UPDATE platform.api_keys SET last_used_at = %s"
    " WHERE id = (SELECT id FROM platform.api_keys WHERE id = %s FOR UPDATE SKIP LOCKED)"
)


def verify_key(key: str) -> CredentialOwner:
    """Return the key's owner: one indexed look-up, compared in constant time.

    Nothing is cached, so revoking works at once. A key of a person permits what the person may still do
    (``key_creators``).

    Raises:
        Unauthenticated: no such key, or revoked, or expired.
        Forbidden: the tenant is suspended.
    """
    parts = split(key)
    if parts is None:
        detail = "the credential does not have the form of an API key"
        raise Unauthenticated(detail)
    prefix, secret = parts
    moment = now()
    row = look_up(_VERIFY.format(column="prefix"), (prefix,))
    genuine = same(secret, bytes(row["secret_hash"]) if row is not None else _NO_DIGEST)
    if row is None or not genuine:
        detail = "the API key is not known"
        raise Unauthenticated(detail)
    _reject_stale(row["revoked_at"], row["expires_at"], moment)
    last_used = row["last_used_at"]
    if last_used is None or moment - last_used >= USED_EVERY:
        _note_use(row["key_id"], moment)
    tenant = TenantRef.of(row)
    reject_inactive(tenant.state)
    return CredentialOwner(_principal(row, tenant), tenant)


def _principal(row: Mapping[str, Any], tenant: TenantRef) -> Principal:
    """The principal of a key's row.

    Raises:
        Unauthenticated: the person who created the key left the tenant, or is deactivated.
    """
    granted, rights = _granted(row["permissions"]), rights_of(row["created_by"], tenant)
    return Principal(
        "api_key",
        str(row["key_id"]),
        tenant.id,
        granted if rights is None else granted & rights.permissions,
        name=row["key_name"],
        facility_ids=None if rights is None else rights.facility_ids,
        states=None if rights is None else rights.states,
        assigned_to=None if rights is None else rights.assigned_to,
        on_behalf_of=None if rights is None else row["created_by"],
        expires_at=row["expires_at"],
    )


def _note_use(key: UUID, moment: datetime) -> None:
    """Store the time of use. If the disk is full, the request continues without it."""
    try:
        with platform_session() as session, psycopg_connection(session).cursor() as cursor:
            cursor.execute(_USED, (moment, key))
    except (SQLAlchemyError, psycopg.Error, OSError) as error:
        if not isinstance(as_app_error(error), StorageFull):
            raise
        log.warning("the last use of an API key was not written: the disk is full", key=str(key))


def principal_of_key(key_id: UUID) -> Principal:
    """The principal of a key with the rights that it has now.

    Raises:
        Unauthenticated: it was revoked, has expired, or is gone.
        Forbidden: the tenant is suspended.
    """
    row = look_up(_VERIFY.format(column="id"), (key_id,))
    if row is None:
        detail = "the API key is not known"
        raise Unauthenticated(detail)
    _reject_stale(row["revoked_at"], row["expires_at"], now())
    reject_inactive(row["state"])
    return _principal(row, TenantRef.of(row))


def confirm_key(principal: Principal) -> None:
    """Check again that the key of ``principal`` is valid and has all the permissions it had at its verification.

    Raises:
        Unauthenticated: it was revoked, has expired, or is gone.
        Forbidden: the tenant is suspended, or the key lost a permission or a part of its reach.
    """
    present = principal_of_key(UUID(principal.id))
    if not principal.permissions <= present.permissions or principal.reach != present.reach:
        detail = "a permission was taken from the API key"
        raise Forbidden(detail)


class ApiKeys:
    """API keys as a kind of credential: ``Authorization: Bearer iit_…`` or ``X-API-Key: iit_…``."""

    name = "api_key"
    places = frozenset({BEARER, API_KEY_HEADER})

    def recognizes(self, credential: str) -> bool:
        """Return whether the credential has the form of a key."""
        return split(credential) is not None

    def verify(self, credential: str) -> CredentialOwner:
        """Return the key's owner; see ``verify_key``."""
        return verify_key(credential)

    def confirm(self, principal: Principal) -> None:
        """Check the key again; see ``confirm_key``."""
        confirm_key(principal)

    def counts_as_guess(self, error: Unauthenticated) -> bool:  # noqa: ARG002 - the same for every rejection
        """Count every rejected key, so that a client that repeats a revoked key is slowed down too."""
        return True


KIND = ApiKeys()
"""The instance that ``core.feature`` registers."""


def _granted(permissions: Collection[str] | None) -> frozenset[str]:
    return all_permissions() if permissions is None else all_permissions() & frozenset(permissions)


def _reject_stale(revoked_at: datetime | None, expires_at: datetime | None, moment: datetime) -> None:
    if revoked_at is not None:
        detail = "the API key was revoked"
        raise Unauthenticated(detail, remedy="Ask for a new key.")
    if expires_at is not None and expires_at <= moment:
        detail = "the API key has expired"
        raise Unauthenticated(detail, remedy="Ask for a new key.")
