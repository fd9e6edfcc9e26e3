"""Kinds of credentials: API keys, and what features register beside them (sessions of people, tokens of an issuer).

A feature names its kinds in ``Feature.credentials``. The boundary of the application finds a request's credential
before it reads the body; a credential that no kind recognises is answered 401.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Protocol

from core.errors import Unauthenticated
from core.features import declared, resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from core.features import Feature
    from core.identity.principal import Identified, Principal

BEARER = "bearer"
API_KEY_HEADER = "x-api-key"
_COOKIE = "cookie:"


def cookie(name: str) -> str:
    """The place of a credential that the browser sends in the cookie ``name``."""
    return f"{_COOKIE}{name}"


class CredentialKind(Protocol):
    """One kind of credential. A feature registers an instance.

    Attributes:
        name: unique; ``Principal.credential`` of every principal that this kind identifies.
        places: where a request carries it: ``BEARER``, ``API_KEY_HEADER``, ``cookie(name)``.
    """

    @property
    def name(self) -> str:
        """The kind's unique name."""

    @property
    def places(self) -> frozenset[str]:
        """Where a request carries it."""

    def recognizes(self, credential: str) -> bool:
        """Whether the credential has this kind's form. Runs for every request: no input or output, no cryptography."""

    def verify(self, credential: str) -> Identified:
        """Who the credential belongs to. May ask the database; runs in a thread.

        Raises:
            Unauthenticated: nobody, or it was revoked or has expired (401).
            Forbidden: the tenant is suspended (403).
        """

    def confirm(self, principal: Principal) -> None:
        """Check again that the credential is valid and allows all that it allowed when it was verified.

        Raises:
            Unauthenticated: it was revoked, has expired, or is gone (401).
            Forbidden: the tenant was suspended, or the principal lost a permission (403).
        """

    def counts_as_guess(self, error: Unauthenticated) -> bool:
        """Whether this refusal counts towards the limit of guesses of the client's address."""


@dataclass(frozen=True, slots=True)
class Credential:
    """The credential of one request, with the kind that recognises it."""

    kind: CredentialKind
    secret: str = field(repr=False)

    def verify(self) -> Identified:
        """Who it belongs to; see ``CredentialKind.verify``."""
        return self.kind.verify(self.secret)


@cache
def credential_kinds() -> tuple[CredentialKind, ...]:
    """The kinds of every installed feature.

    Raises:
        RuntimeError: two kinds have one name.
    """

    def kinds(feature: Feature) -> Iterator[tuple[str, CredentialKind]]:
        for reference in feature.credentials:
            kind: CredentialKind = resolve(reference)
            yield kind.name, kind

    return tuple(declared("kind of credentials", kinds).values())


def confirm(principal: Principal) -> None:
    """Check again that the principal's credential is valid; see ``CredentialKind.confirm``."""
    next(kind for kind in credential_kinds() if kind.name == principal.credential).confirm(principal)


def credential_of(headers: Iterable[tuple[bytes, bytes]]) -> Credential:
    """The credential that a request carries; ``verify`` says later whether it is valid.

    The header Authorization wins over X-API-Key, and both over cookies: a browser adds its cookies to requests that
    another site started, so a cookie never replaces a credential that the client chose.

    Raises:
        Unauthenticated: there is none, or no kind recognises it (401).
    """
    for place, secret in _carried(headers):
        kinds = [kind for kind in credential_kinds() if place in kind.places]
        for kind in kinds:
            if kind.recognizes(secret):
                return Credential(kind, secret)
        if kinds or not place.startswith(_COOKIE):
            detail = "the credential is not valid"
            raise Unauthenticated(detail)
    detail = "the request has no credential"
    raise Unauthenticated(detail)


def _carried(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[str, str]]:
    """Place and text of each possible credential, the strongest first."""
    values = {name: value.decode("latin-1") for name, value in reversed(list(headers))}  # the first counts
    scheme, _, bearer = values.get(b"authorization", "").partition(" ")
    if scheme.lower() == BEARER and bearer.strip():
        yield BEARER, bearer.strip()
    if key := values.get(b"x-api-key", "").strip():
        yield API_KEY_HEADER, key
    for pair in values.get(b"cookie", "").split(";"):
        name, _, value = pair.partition("=")
        if value.strip():
            yield cookie(name.strip()), value.strip()
