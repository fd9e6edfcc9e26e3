"""Stored models: content-addressed in the blob store, signed, and verified before anything of them is interpreted.

The signature is an HMAC under a key that the master key of the installation protects. It covers all that decides a
score: the hash of the stored bytes, the features, the calibrator. Who can write to the database or the blob store, but
has not the master key, cannot make the platform score by a model of theirs.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from core import audit, blobs, plugins
from core.errors import phrase
from core.privacy.tenant_keys import derived_key, derived_key_within
from tenants.risk.failures import ModelFailed

if TYPE_CHECKING:
    from core.blobs import BlobRef
    from core.database import TenantRef, TenantSession
    from plugins.sdk import Artifact
    from tenants.risk.models import RiskModel

PURPOSE: Final = "signatures of models"
VERSION: Final = "v1"
ADDRESS_DIGITS: Final = 32
"""Hex digits of the SHA-256 in a blob's key. The row has all of them, and reading compares all."""


def address(content: bytes) -> str:
    """The key under which the blob store has these bytes."""
    return f"keep/{hashlib.sha256(content).hexdigest()[:ADDRESS_DIGITS]}-model.zip"


def store(tenant: TenantRef, artifact: Artifact) -> tuple[BlobRef, bool]:
    """Store an artifact under its own hash; return its reference, and whether the store did not have it before.

    It is written even if it is there already, so that training again mends a damaged file.
    """
    content = plugins.pack(artifact)
    key = address(content)
    is_new = not blobs.exists(tenant, key)
    return blobs.put_back(tenant, key, content), is_new


def sign(session: TenantSession, row: RiskModel) -> None:
    """Sign a row as it is now. Call it after everything that scores is set."""
    row.signature = _signature(derived_key_within(session, PURPOSE), session.tenant, row)


def sign_by_hand(session: TenantSession, row: RiskModel) -> None:
    """Sign a model that somebody has examined, such as one from before there were signatures. The audit records it."""
    sign(session, row)
    session.add(row)
    audit.record(session, "risk:model:sign", "model", row.uuid, {"version": row.version})


def verify(tenant: TenantRef, row: RiskModel) -> None:
    """Check the signature of a row. Call it before anything of the row or its file is read.

    Raises:
        ModelFailed: it has none, or something of it was changed since.
    """
    remedy, command = "train models again", "train models again; or examine the model, then run `iit model sign`"
    if not row.signature:
        detail = phrase("model {version} is not signed", version=row.version)
        raise ModelFailed(detail, remedy=remedy, command=command)
    if not hmac.compare_digest(row.signature, _signature(derived_key(tenant, PURPOSE), tenant, row)):
        detail = phrase("model {version} was changed after it was signed", version=row.version)
        raise ModelFailed(detail, remedy=remedy, command=command)


def _signature(key: bytes, tenant: TenantRef, row: RiskModel) -> str:
    content = {
        "tenant": str(tenant.id),
        "model": str(row.uuid),
        "version": row.version,
        "plugin": row.plugin,
        "plugin_version": row.plugin_version,
        "trained_through": str(row.trained_through),
        "blob_key": row.blob_key,
        "blob_sha256": row.blob_sha256,
        "features": row.features,
        "calibrator": row.calibrator,
        "gates": row.gates,
    }
    return f"{VERSION}:{hmac.new(key, _canonical(content).encode(), hashlib.sha256).hexdigest()}"


def _canonical(value: Any) -> str:  # noqa: ANN401 - any JSON
    """A text that is the same before and after PostgreSQL stored the value: it drops the kind and sign of zeros."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{_canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, bool | np.bool_):
        return repr(bool(value))
    if value is None or isinstance(value, str):
        return repr(value if value is None else str(value))
    return repr(float(value) + 0.0)
