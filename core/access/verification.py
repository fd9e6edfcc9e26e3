"""Storage of a verification made before the application reads the request, so that the route need not repeat it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from core.identity.credentials import Credential
    from core.identity.principal import CredentialOwner

FRESH_SECONDS = 1.0
"""Seconds for which a verification counts. If the body takes longer to arrive, the credential is verified again."""

_PLACE, _SEEN = "iit.verification", "iit.seen"


@dataclass(frozen=True, slots=True)
class Verification:
    """The owner of a credential, and the time of the verification (``time.monotonic``)."""

    credential: Credential
    identified: CredentialOwner
    moment: float


def verify(credential: Credential) -> Verification:
    """Verify the credential, and return its owner.

    Raises:
        Unauthenticated: the credential belongs to nobody, was revoked or has expired (401).
        Forbidden: the tenant is suspended (403).
    """
    moment = time.monotonic()
    return Verification(credential, credential.verify(), moment)


def leave_for_the_route(scope: MutableMapping[str, Any], verification: Verification) -> None:
    """Store a verification with the request, for ``verified``."""
    scope[_PLACE] = verification
    scope[_SEEN] = verification.identified


def leave_owner(scope: MutableMapping[str, Any], owner: CredentialOwner) -> None:
    """Store whom the request's credential identified, for ``seen`` alone: no other route may take it as verified."""
    scope[_SEEN] = owner


def seen(scope: MutableMapping[str, Any]) -> CredentialOwner | None:
    """Return whom this request's credential identified, for what its answer shows; None before that is known."""
    identified: CredentialOwner | None = scope.get(_SEEN)
    return identified


def verified(scope: MutableMapping[str, Any], credential: Credential) -> Verification:
    """Return the credential's owner: from this request's stored verification while it is fresh, else from a new one.

    Raises:
        Unauthenticated: the credential belongs to nobody, was revoked or has expired (401).
        Forbidden: the tenant is suspended (403).
    """
    stored = scope.get(_PLACE)
    if (
        isinstance(stored, Verification)
        and stored.credential == credential
        and time.monotonic() - stored.moment < FRESH_SECONDS
    ):
        return stored
    verification = verify(credential)
    scope[_SEEN] = verification.identified
    return verification
