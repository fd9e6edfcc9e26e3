"""Payloads and results of jobs as the database stores them: encrypted, except for fields that statements must read.

A tenant's are encrypted with a key that only its own keys give (``core.privacy``), the platform's with the
installation's master key. The ciphertext is bound to tenant and job, so it opens in no other row. Rows of earlier
releases, and the kernel's own announcements of dead jobs, are plain: they hold ids only.
"""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING, Any, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from core.database import TenantSession, node_session, psycopg_connection
from core.errors import NotFound
from core.jobs.bounds import PLATFORM_ROLE
from core.privacy import derived_key, master
from core.privacy.errors import CannotDecrypt
from core.privacy.tenant_keys import derived_key_within
from core.tenancy import tenant_of_role

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from sqlmodel import Session

    from core.database import TenantRef

SEALED: Final = "$sealed"
"""The field of a stored payload that has the encrypted ones."""

LARGEST: Final = 100_000
"""Most characters of a payload or a result. It names what to work on; it does not contain the data."""

Part = Literal["payload", "result"]
_PURPOSE: Final = "jobs"
_NONCE: Final = 12
_TENANTS, _PLATFORMS = "t1.", "p1."


def seal_within(
    session: Session, job_id: UUID, fields: Mapping[str, Any], *, part: Part = "payload", readable: Collection[str] = ()
) -> dict[str, Any]:
    """Return what to store for a job of the session's owner: a tenant's, or the platform's.

    Args:
        session: a session of the owner.
        job_id: the job.
        fields: its payload or its result, as JSON.
        part: which of the two.
        readable: fields that stay readable in the database. They are not secret, but cannot be changed unnoticed.
    """
    if isinstance(session, TenantSession):
        key = derived_key_within(session, _PURPOSE)
        return _seal(key, str(session.tenant.id), job_id, fields, part, readable)
    return _seal(None, PLATFORM_ROLE, job_id, fields, part, readable)


def seal_as(
    tenant: TenantRef | None, job_id: UUID, fields: Mapping[str, Any], *, readable: Collection[str] = ()
) -> dict[str, Any]:
    """Return what to store as the payload of a tenant's job, without a session of the tenant; None is the platform.

    Opens its own transaction if this process has not seen the tenant before.

    Raises:
        Unavailable: the tenant's keys cannot be read.
    """
    if tenant is None:
        return _seal(None, PLATFORM_ROLE, job_id, fields, "payload", readable)
    return _seal(derived_key(tenant, _PURPOSE), str(tenant.id), job_id, fields, "payload", readable)


def open_within(session: Session, job_id: UUID, stored: dict[str, Any], *, part: Part = "payload") -> dict[str, Any]:
    """Return the payload or the result of a job of the session's owner.

    Raises:
        CannotDecrypt: it was altered, or belongs to another job or tenant, or its key is gone.
    """
    if SEALED not in stored:
        return stored
    if isinstance(session, TenantSession):
        return _open(derived_key_within(session, _PURPOSE), str(session.tenant.id), job_id, stored, part)
    return _open(None, PLATFORM_ROLE, job_id, stored, part)


def open_as(tenant: TenantRef | None, job_id: UUID, stored: dict[str, Any]) -> dict[str, Any]:
    """Return the payload of a job of a tenant, without a session of the tenant; None is the platform.

    Raises:
        CannotDecrypt: as ``open_within``.
        Unavailable: the tenant's keys cannot be read.
    """
    if SEALED not in stored:
        return stored
    if tenant is None:
        return _open(None, PLATFORM_ROLE, job_id, stored, "payload")
    return _open(derived_key(tenant, _PURPOSE), str(tenant.id), job_id, stored, "payload")


def open_payload(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload of a row of ``node.jobs`` or ``node.dead_letters``; see ``masking`` before you show it.

    Raises:
        CannotDecrypt: as ``open_within``, or the tenant is gone.
        Unavailable: the tenant's keys cannot be read.
    """
    return open_as(_owner(row), row.get("job_id") or row["id"], row["payload"])


def seal_payload(row: Mapping[str, Any], payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return what to store as the new payload of such a row. Fields that are readable in the old one stay readable.

    Raises:
        CannotDecrypt: the tenant is gone.
        Unavailable: the tenant's keys cannot be read.
    """
    readable = row["payload"].keys() & payload.keys() if SEALED in row["payload"] else ()
    return seal_as(_owner(row), row.get("job_id") or row["id"], payload, readable=readable)


def reseal_platform_jobs() -> int:
    """Seal the payloads of the platform's jobs with the current master key; return how many had another.

    Part of a rotation of the master key.
    """
    count = 0
    with node_session() as session:
        connection = psycopg_connection(session)
        for table, column in (("jobs", "id"), ("dead_letters", "job_id")):
            cursor = connection.cursor(row_factory=dict_row)
            cursor.execute(
                f"SELECT id, {column} AS job_id, payload FROM node.{table} WHERE tenant_role = %s FOR UPDATE",  # noqa: S608 - constants
                (PLATFORM_ROLE,),
            )
            for row in cursor.fetchall():
                sealed = row["payload"].get(SEALED)
                if sealed is None or master.is_current(base64.b64decode(sealed.removeprefix(_PLATFORMS))):
                    continue
                fields = open_as(None, row["job_id"], row["payload"])
                payload = seal_as(None, row["job_id"], fields, readable=row["payload"].keys() & fields.keys())
                update = f"UPDATE node.{table} SET payload = %s WHERE id = %s"  # noqa: S608 - constants
                connection.execute(update.encode(), (Jsonb(payload), row["id"]))
                count += 1
    return count


def _owner(row: Mapping[str, Any]) -> TenantRef | None:
    if row["tenant_role"] == PLATFORM_ROLE:
        return None
    try:
        return tenant_of_role(row["tenant_role"])
    except NotFound:
        detail = "the tenant of the job is gone"
        raise CannotDecrypt(detail) from None


def _seal(
    key: bytes | None, owner: str, job_id: UUID, fields: Mapping[str, Any], part: Part, readable: Collection[str]
) -> dict[str, Any]:
    plain = {name: value for name, value in fields.items() if name in readable}
    secret = json.dumps({name: value for name, value in fields.items() if name not in readable}).encode()
    bound_to = _bound_to(owner, job_id, part, plain)
    if key is None:
        return {**plain, SEALED: _PLATFORMS + base64.b64encode(master.seal_own(secret, bound_to)).decode()}
    nonce = os.urandom(_NONCE)
    sealed = nonce + AESGCM(key).encrypt(nonce, secret, bound_to.encode())
    return {**plain, SEALED: _TENANTS + base64.b64encode(sealed).decode()}


def _open(key: bytes | None, owner: str, job_id: UUID, stored: dict[str, Any], part: Part) -> dict[str, Any]:
    plain = {name: value for name, value in stored.items() if name != SEALED}
    bound_to = _bound_to(owner, job_id, part, plain)
    form, text = stored[SEALED][: len(_TENANTS)], stored[SEALED][len(_TENANTS) :]
    if form != (_PLATFORMS if key is None else _TENANTS):
        detail = "the payload or result of a job does not open: its owner is another, or gone"
        raise CannotDecrypt(detail)
    try:
        sealed = base64.b64decode(text, validate=True)
        if key is None:
            secret = master.unseal_own(sealed, bound_to)
        else:
            secret = AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to.encode())
    except (InvalidTag, ValueError):
        detail = "the payload or result of a job does not open: it was altered, or moved from another job"
        raise CannotDecrypt(detail) from None
    return {**plain, **json.loads(secret)}


def _bound_to(owner: str, job_id: UUID, part: Part, plain: dict[str, Any]) -> str:
    return f"job|{owner}|{job_id}|{part}|{json.dumps(plain, sort_keys=True)}"
