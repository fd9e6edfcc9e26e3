"""A tenant's keys: created with the tenant, unwrapped one time per process, re-wrapped when the master key rotates."""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.database import tenant_session
from core.privacy import master
from core.privacy.errors import CannotDecrypt, MasterKeyMissing

if TYPE_CHECKING:
    from uuid import UUID

    from core.database import TenantRef, TenantSession

PURPOSES = ("data", "index", "blob")
KEY_BYTES = 32
REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class KeyRing:
    """A tenant's keys in the clear, in memory only."""

    data: dict[int, AESGCM]
    index: bytes
    blob: bytes

    @property
    def newest(self) -> int:
        """The version of the key that wraps new patients' keys."""
        return max(self.data)


_rings: OrderedDict[UUID, KeyRing] = OrderedDict()
_lock = Lock()


def _bound_to(tenant: TenantRef, purpose: str, version: int) -> str:
    return f"tenant-key|{tenant.id}|{purpose}|{version}"


def create_tenant_keys(session: TenantSession, *, index: bytes | None = None) -> None:
    """Create the tenant's keys when it is provisioned. A second call changes nothing.

    Args:
        session: the tenant's transaction.
        index: the key of its blind indexes, if its rows come from an archive; else a new one.

    Raises:
        Invalid: no master key is configured.
    """
    kid, key = master.current()
    existing = {"index": index} if index is not None else {}
    rows = [
        (
            purpose,
            kid,
            master.seal(key, existing.get(purpose) or os.urandom(KEY_BYTES), _bound_to(session.tenant, purpose, 1)),
        )
        for purpose in PURPOSES
    ]
    with session.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO tenant_keys (purpose, version, master_kid, wrapped_key) VALUES (%s, 1, %s, %s)"
            " ON CONFLICT (purpose, version) DO NOTHING",
            rows,
        )


def key_ring(session: TenantSession, *, fresh: bool = False) -> KeyRing:
    """The keys of the session's tenant, from memory if this process has unwrapped them before.

    Raises:
        CannotDecrypt: a key is missing, altered, or moved from another tenant.
        MasterKeyMissing: no configured master key wraps them.
    """
    tenant = session.tenant
    with _lock:
        ring = None if fresh else _rings.get(tenant.id)
        if ring is not None:
            _rings.move_to_end(tenant.id)
            return ring
    ring = _unwrap(session)
    with _lock:
        _rings[tenant.id] = ring
        while len(_rings) > REMEMBERED:
            _rings.popitem(last=False)
    return ring


def _unwrap(session: TenantSession) -> KeyRing:
    with session.cursor() as cursor:
        cursor.execute("SELECT purpose, version, master_kid, wrapped_key FROM tenant_keys")
        rows = cursor.fetchall()
    plain = {
        (purpose, version): master.unseal(
            master.by_kid(kid), bytes(wrapped), _bound_to(session.tenant, purpose, version)
        )
        for purpose, version, kid, wrapped in rows
    }
    data = {version: AESGCM(key) for (purpose, version), key in plain.items() if purpose == "data"}
    if not data or ("index", 1) not in plain or ("blob", 1) not in plain:
        detail = "the tenant has no keys"
        raise CannotDecrypt(
            detail, remedy="Restore the table tenant_keys from a backup, or provision the tenant again."
        )
    return KeyRing(data=data, index=plain["index", 1], blob=plain["blob", 1])


def index_key(session: TenantSession) -> bytes:
    """The plain key of the tenant's blind indexes, for its archive, which is sealed to the recipient."""
    return key_ring(session).index


def derived_key(tenant: TenantRef, purpose: str) -> bytes:
    """Return 32 bytes for a purpose outside the rows, such as one blob: HKDF-SHA256 of the tenant's blob key.

    Opens its own transaction if this process has not seen the tenant before.
    """
    with _lock:
        ring = _rings.get(tenant.id)
    if ring is None:
        with tenant_session(tenant, actor="system:keys", readonly=True) as session:
            ring = key_ring(session)
    return _derive(tenant, purpose, ring)


def derived_key_within(session: TenantSession, purpose: str) -> bytes:
    """Return the same key as ``derived_key`` in a session of the tenant, whose keys may not be committed yet."""
    return _derive(session.tenant, purpose, key_ring(session))


def _derive(tenant: TenantRef, purpose: str, ring: KeyRing) -> bytes:
    info = f"{tenant.id}|{purpose}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(ring.blob)


def rewrap_tenant_keys(session: TenantSession) -> int:
    """Wrap the tenant's keys with the current master key. Return how many had another master key.

    To rotate, set the new key as IIT_MASTER_KEY and the old one as IIT_MASTER_KEY_PREVIOUS, re-wrap every tenant, then
    remove the old one. Patients' keys and ciphertexts stay as they are.
    """
    kid, key = master.current()
    with session.cursor() as cursor:
        cursor.execute(
            "SELECT purpose, version, master_kid, wrapped_key FROM tenant_keys WHERE master_kid <> %s FOR UPDATE",
            (kid,),
        )
        rows = cursor.fetchall()
        for purpose, version, old_kid, wrapped in rows:
            bound_to = _bound_to(session.tenant, purpose, version)
            plain = master.unseal(master.by_kid(old_kid), bytes(wrapped), bound_to)
            cursor.execute(
                "UPDATE tenant_keys SET master_kid = %s, wrapped_key = %s WHERE purpose = %s AND version = %s",
                (kid, master.seal(key, plain, bound_to), purpose, version),
            )
    return len(rows)


def require_current(session: TenantSession) -> None:
    """Verify that the current master key alone opens every key of the tenant.

    Raises:
        MasterKeyMissing: another one wraps a key.
        CannotDecrypt: a key does not open.
    """
    kid, key = master.current()
    with session.cursor() as cursor:
        rows = cursor.execute("SELECT purpose, version, master_kid, wrapped_key FROM tenant_keys").fetchall()
    for purpose, version, wrapping, wrapped in rows:
        if wrapping != kid:
            detail = f"a key of the tenant is still wrapped by the master key {wrapping}"
            raise MasterKeyMissing(detail)
        master.unseal(key, bytes(wrapped), _bound_to(session.tenant, purpose, version))


def forget() -> None:
    """Forget the unwrapped keys (tests; a closed tenant)."""
    with _lock:
        _rings.clear()
