"""Stored answers: their look-up, their encryption, and their replay."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg.errors import LockNotAvailable
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from starlette.responses import Response

from core.clock import now
from core.database import lock_installation, lock_own, try_lock_installation, try_lock_own
from core.errors import Conflict, Invalid
from core.idempotency.fingerprints import digest
from core.privacy import derived_key
from core.settings import get_settings, master_key

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg

    from core.database import TenantRef

REPLAYED = "Idempotency-Replayed"
REPEATED_HEADERS = frozenset(
    {
        "content-encoding",
        "content-type",
        "etag",
        "hx-location",
        "hx-push-url",
        "hx-redirect",
        "hx-refresh",
        "hx-reselect",
        "hx-reswap",
        "hx-retarget",
        "hx-trigger",
        "location",
        "vary",
    }
)
"""Headers of an answer that a replay repeats. A cookie is never stored."""

STORED_BELOW = HTTPStatus.BAD_REQUEST
RETRY_AFTER = 1
_NONCE = 12
_TENANT_TABLE, _PLATFORM_TABLE = "idempotency_answers", "platform.idempotency_answers"
_PURPOSE = "idempotency"


class Replay(Exception):  # noqa: N818 - no error: it carries the stored answer to the route
    """The write has had its effect: the request is answered with the first answer."""

    def __init__(self, response: Response) -> None:
        super().__init__("replayed")
        self.response = response


@dataclass(frozen=True, slots=True)
class KeyedWrite:
    """One write with an Idempotency-Key.

    Attributes:
        key_digest: of tenant, principal and key.
        tenant: the tenant; None for an operator's write.
        principal: who sends it, as ``kind:id``.
        operation: the name of the operation.
        fingerprint: see ``core.idempotency.fingerprints``.
        request_id: the id of the request.
        in_tenant: whether the answer is stored in the tenant's schema.
        page: whether a page's form sends it.
    """

    key_digest: bytes
    tenant: TenantRef | None
    principal: str
    operation: str
    fingerprint: bytes
    request_id: str
    in_tenant: bool
    page: bool

    @property
    def table(self) -> str:
        """The table of the answer."""
        return _TENANT_TABLE if self.in_tenant else _PLATFORM_TABLE

    @property
    def lock_name(self) -> str:
        """The name of the lock that the write holds until its transaction ends."""
        return f"{_PURPOSE}:{self.key_digest.hex()}"

    @property
    def lock_number(self) -> int:
        """The number of the lock in the control database."""
        return int.from_bytes(self.key_digest[:8], "big", signed=True)


def key_digest_of(tenant_id: UUID | None, principal: str, key: str, *more: bytes) -> bytes:
    """Return the digest that identifies a key of a principal. Two tenants or principals with one key have two."""
    return digest(str(tenant_id or "").encode(), principal.encode(), key.encode(), *more)


def take_lock(cursor: psycopg.Cursor[Any], write: KeyedWrite) -> None:
    """Take the lock of the write until the transaction ends. A page's form waits for its twin.

    Raises:
        Conflict: the first request with the key has not ended (409).
    """
    if write.page:
        _wait_for_lock(cursor, write)
        return
    if write.in_tenant:
        free = try_lock_own(cursor, write.lock_name)
    else:
        free = try_lock_installation(cursor.connection, write.lock_number)
    if not free:
        raise under_way()


def _wait_for_lock(cursor: psycopg.Cursor[Any], write: KeyedWrite) -> None:
    cursor.execute("SET LOCAL lock_timeout TO '10s'")
    try:
        if write.in_tenant:
            lock_own(cursor, write.lock_name)
        else:
            lock_installation(cursor, write.lock_number)
    except LockNotAvailable as error:
        raise under_way() from error
    cursor.execute("SET LOCAL lock_timeout TO DEFAULT")


def under_way() -> Conflict:
    """The error of a twin of a request that has not ended."""
    detail = "the first request with this Idempotency-Key is under way"
    remedy = "Send the same request again after as many seconds as the header Retry-After says."
    return Conflict(detail, remedy=remedy, retry_after=RETRY_AFTER)


def reject_or_replay(connection: psycopg.Connection[Any], write: KeyedWrite) -> None:
    """Return if the key is new.

    Raises:
        Replay: the write has had its effect.
        Invalid: the key names another write (422).
        Conflict: the write had its effect, and its answer is not stored (409).
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        # A statement of its own, after the lock: it sees what a twin committed before.
        row = cursor.execute(_FIND.format(table=write.table), (write.key_digest,)).fetchone()
        if row is None:
            return
        other = bytes(row["fingerprint"]) != write.fingerprint
        if row["expires_at"] <= now() or (other and write.page):  # a form that was changed after Back is a new one
            cursor.execute(f"DELETE FROM {write.table} WHERE key_digest = %s", (write.key_digest,))  # noqa: S608
            return
    if other:
        detail = "this Idempotency-Key belongs to a request with other content"
        raise Invalid(detail, remedy="Send a new key with a new request; repeat a request unchanged.")
    raise Replay(_replayed(row, write))


_FIND = "SELECT fingerprint, status, headers, answer, has_body, location, expires_at FROM {table} WHERE key_digest = %s"


def _replayed(row: dict[str, Any], write: KeyedWrite) -> Response:
    body = b"" if row["answer"] is None else unseal(bytes(row["answer"]), write)
    headers = {**row["headers"], REPLAYED: "true"}
    if row["has_body"] and not body:
        if row["location"] is None:
            detail = "the request took effect before, and its answer is not stored any more"
            raise Conflict(detail, remedy="Read the present state.")
        return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": row["location"], REPLAYED: "true"})
    return Response(body, row["status"], headers)


def statement_to_store(write: KeyedWrite, response: Response) -> tuple[str, list[object]] | None:
    """Return the statement that stores an answer, and its values; None for an answer that is not stored.

    Rejections are not stored: the caller corrects the request, and sends it with the same key.
    """
    if response.status_code >= STORED_BELOW:
        return None
    settings = get_settings()
    body = bytes(getattr(response, "body", b""))
    streamed = not hasattr(response, "body")
    stored = None if not body or len(body) > settings.idempotency_answer_max_bytes else seal(body, write)
    headers = {name: value for name, value in response.headers.items() if name in REPEATED_HEADERS}
    values: list[object] = [
        write.key_digest,
        write.principal,
        write.operation,
        write.fingerprint,
        response.status_code,
        Jsonb(headers),
        stored,
        bool(body) or streamed,
        response.headers.get("location"),
        write.request_id,
        now() + timedelta(hours=settings.idempotency_hours),
    ]
    if write.in_tenant:
        return _STORE.format(table=write.table, more="", value=""), values
    return (
        _STORE.format(table=write.table, more=", tenant_id", value=", %s"),
        [*values, None if write.tenant is None else write.tenant.id],
    )


_STORE = (
    "INSERT INTO {table} (key_digest, principal, operation, fingerprint, status, headers, answer, has_body, location,"
    " request_id, expires_at{more}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s{value})"
)


def seal(body: bytes, write: KeyedWrite) -> bytes:
    """Encrypt a body for its row."""
    nonce = os.urandom(_NONCE)
    return nonce + _cipher(write).encrypt(nonce, body, _place(write))


def unseal(sealed: bytes, write: KeyedWrite) -> bytes:
    """Decrypt a body; empty if its key is gone, as after a rotation of the master key."""
    try:
        return _cipher(write).decrypt(sealed[:_NONCE], sealed[_NONCE:], _place(write))
    except InvalidTag:
        return b""


def _cipher(write: KeyedWrite) -> AESGCM:
    if write.tenant is not None:
        return AESGCM(derived_key(write.tenant, _PURPOSE))
    return AESGCM(digest(_PURPOSE.encode(), master_key()))


def _place(write: KeyedWrite) -> bytes:
    return b"|".join((write.table.encode(), write.key_digest))
