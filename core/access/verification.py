"""A key that was verified before its request was read, handed on to the route that would ask the same."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.identity import keys

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

    from core.identity.keys import Identified

FRESH_SECONDS = 1.0
"""For as long an answer counts: a body that takes longer to arrive is that of a key which is asked for again."""

_PLACE = "iit.verification"


@dataclass(frozen=True, slots=True)
class Verification:
    """Whose a key is, and when that was asked."""

    key: str = field(repr=False)
    identified: Identified
    moment: float


def verify(key: str) -> Verification:
    """Ask whose a key is.

    Raises:
        Unauthenticated: nobody's, or it is revoked or expired (401).
        Forbidden: the tenant is suspended (403).
    """
    moment = time.monotonic()
    return Verification(key, keys.verify_key(key), moment)


def leave_for_the_route(scope: MutableMapping[str, Any], verification: Verification) -> None:
    """Keep an answer with the request, for ``verified``."""
    scope[_PLACE] = verification


def verified(scope: MutableMapping[str, Any], key: str) -> Verification:
    """Whose the key is: as was answered a moment ago for the same request, else asked now.

    Raises:
        Unauthenticated: nobody's, or it is revoked or expired (401).
        Forbidden: the tenant is suspended (403).
    """
    found = scope.get(_PLACE)
    if isinstance(found, Verification) and found.key == key and time.monotonic() - found.moment < FRESH_SECONDS:
        return found
    return verify(key)
