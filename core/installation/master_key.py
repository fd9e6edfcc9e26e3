"""The check of the master key, at start and by ``/health/ready``, before the first row is unreadable."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from core.database import TenantRef, owner_session, platform_session, tenant_session
from core.errors import Unavailable
from core.privacy import master
from core.privacy.errors import CannotDecrypt, MasterKeyMissing

BOUND_TO: Final = "installation|master-key-check"
_TEXT: Final = b"iit"
_ADD = text("INSERT INTO platform.master_key_checks (kid, sealed) VALUES (:kid, :sealed) ON CONFLICT (kid) DO NOTHING")
_FORGET = text("DELETE FROM platform.master_key_checks WHERE kid <> :kid")
_NEWEST = text(
    "SELECT id, slug, name, schema_name, role_name, database, state, time_zone FROM platform.tenants"
    " WHERE phase IS NULL ORDER BY created_at DESC LIMIT 1"
)


class MasterKeyWrong(Unavailable):
    """The configured master key does not open the tenants' keys."""


def check_master_key() -> None:
    """Check that the configured master key is the installation's. The first start records the key.

    During a rotation, a new key is accepted if the previous one is right.

    Raises:
        MasterKeyWrong: it is another key.
        Unavailable: the database cannot be reached, or is not migrated.
        Invalid: no key is configured, or it is malformed.
    """
    kid, key = master.current()
    with platform_session() as session:
        rows = session.execute(text("SELECT kid, sealed FROM platform.master_key_checks"))
        sealed = {row.kid: bytes(row.sealed) for row in rows}
    if kid in sealed:
        _open(kid, key, sealed)
        return
    if sealed:
        _open_previous(sealed)
    else:
        _compare_with_a_tenant()
    with platform_session() as session:
        session.execute(_ADD, {"kid": kid, "sealed": master.seal(key, _TEXT, BOUND_TO)})


def forget_older_keys() -> None:
    """Accept only the current master key from now on, when no tenant's keys need another.

    Raises:
        Unavailable: the owner's login is not configured, or the database cannot be reached.
    """
    with owner_session() as session:
        session.execute(_FORGET, {"kid": master.current()[0]})


def _open(kid: str, key: bytes, sealed: dict[str, bytes]) -> None:
    try:
        master.unseal(key, sealed[kid], BOUND_TO)
    except CannotDecrypt:
        raise _wrong() from None


def _open_previous(sealed: dict[str, bytes]) -> None:
    for kid in sealed:
        try:
            key = master.by_kid(kid)
        except MasterKeyMissing:
            continue
        _open(kid, key, sealed)
        return
    raise _wrong()


def _compare_with_a_tenant() -> None:
    """Reject a master key that cannot unwrap the keys of the newest tenant, if there is a tenant."""
    with platform_session() as session:
        row = session.execute(_NEWEST).mappings().first()
    if row is None:
        return
    with tenant_session(TenantRef.of(row), actor="system:keys", readonly=True) as session:
        kids = [row[0] for row in session.execute(text("SELECT DISTINCT master_kid FROM tenant_keys"))]
    try:
        for kid in kids:
            master.by_kid(kid)
    except MasterKeyMissing:
        raise _wrong() from None


def _wrong() -> MasterKeyWrong:
    detail = "the master key of this process is not the installation's: nothing encrypted can be read or written"
    remedy = "the operator sets IIT_MASTER_KEY, or restores the file master.key, as the other processes have it"
    return MasterKeyWrong(detail, remedy=remedy)
