"""Kinds of credentials: API keys, and those that features register (sessions of people, tokens of an issuer).

A feature names its kinds in ``Feature.credentials``. The boundary of the application finds a request's credential
before it reads the body; a credential that no kind recognises is answered 401.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Protocol

from core.errors import Forbidden, Unauthenticated, phrase
from core.feature_registry import declared, resolve
from core.identity import csrf
from core.identity.cookies import HOST_PREFIX, is_secure
from core.web.page_marks import is_page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, MutableMapping
    from typing import Any

    from core.feature_registry import Feature
    from core.identity.principal import CredentialOwner, Principal

BEARER = "bearer"
API_KEY_HEADER = "x-api-key"
_COOKIE = "cookie:"


def cookie(name: str) -> str:
    """The place of a credential that the browser sends in the cookie ``name``: ``__Host-name`` over HTTPS."""
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
        """The places where a request carries the credential."""

    def recognizes(self, credential: str) -> bool:
        """Return whether the credential has this kind's form.

        Runs for every request: no input or output, no cryptography.
        """

    def verify(self, credential: str) -> CredentialOwner:
        """Return the owner of the credential. It runs in a thread, and may read the database.

        Raises:
            Unauthenticated: the credential is unknown, revoked or expired (401).
            Forbidden: the tenant is suspended (403).
        """

    def confirm(self, principal: Principal) -> None:
        """Check again that the credential is valid and allows all that it allowed when it was verified.

        Raises:
            Unauthenticated: it was revoked, has expired, or is gone (401).
            Forbidden: the tenant was suspended, or the principal lost a permission (403).
        """

    def counts_as_guess(self, error: Unauthenticated) -> bool:
        """Return whether this rejection counts towards the guess limit of the client's address."""


@dataclass(frozen=True, slots=True)
class Credential:
    """The credential of one request, with the kind that recognises it."""

    kind: CredentialKind
    secret: str = field(repr=False)
    place: str = BEARER

    @property
    def from_cookie(self) -> bool:
        """Return whether the browser added the credential by itself."""
        return self.place.startswith(_COOKIE)

    def verify(self) -> CredentialOwner:
        """Return the owner of the credential; see ``CredentialKind.verify``."""
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


def cookie_names() -> dict[str, str]:
    """Name of each kind that browsers carry in a cookie -> name of the cookie, without its prefix."""
    return {
        kind.name: place.removeprefix(_COOKIE)
        for kind in credential_kinds()
        for place in sorted(kind.places)
        if place.startswith(_COOKIE)
    }


def credential_for(scope: MutableMapping[str, Any]) -> Credential:
    """Return the request's credential. Call ``verify`` to learn whether it is valid.

    A page takes credentials from cookies alone. An operation under /v1 takes all kinds. It takes one from a cookie only
    with the session's token in the header X-CSRF-Token, because another site can make a browser send the cookie, but
    not the header.

    Raises:
        Unauthenticated: there is none, or no kind recognises it (401).
        Forbidden: it comes from a cookie, and the token is missing or of another session (403).
    """
    page = is_page(scope)
    credential = credential_of(scope["headers"], secure=is_secure(scope), cookies_only=page)
    if credential.from_cookie and not page:
        name = csrf.HEADER.lower().encode()
        token = next((value for header, value in scope["headers"] if header == name), b"")
        if not csrf.is_token_of(token.decode("latin-1"), credential.secret):
            detail = phrase(
                "a request with a session's cookie needs the session's token in the header {header}", header=csrf.HEADER
            )
            raise Forbidden(detail, remedy="Send the token that the page carries, or use an API key.")
    return credential


def credential_of(
    headers: Iterable[tuple[bytes, bytes]], *, secure: bool = False, cookies_only: bool = False
) -> Credential:
    """Return the credential that the headers carry.

    Authorization wins over X-API-Key, and both win over cookies. A browser adds its cookies to requests that another
    site started, so a cookie must not replace a credential that the client chose.

    Args:
        headers: the headers of the request.
        secure: whether the connection is encrypted: then only cookies that are bound to this host count.
        cookies_only: whether the request is for a page.

    Raises:
        Unauthenticated: there is none, or no kind recognises it (401).
    """
    for place, secret in _carried(headers, secure=secure):
        if cookies_only and not place.startswith(_COOKIE):
            continue
        kinds = [kind for kind in credential_kinds() if place in kind.places]
        for kind in kinds:
            if kind.recognizes(secret):
                return Credential(kind, secret, place)
        if kinds or not place.startswith(_COOKIE):
            detail = "the credential is not valid"
            raise Unauthenticated(detail)
    detail = "the request has no credential"
    raise Unauthenticated(detail)


def _carried(headers: Iterable[tuple[bytes, bytes]], *, secure: bool) -> Iterator[tuple[str, str]]:
    """Yield place and text of each possible credential, in their order of precedence."""
    values = {name: value.decode("latin-1") for name, value in reversed(list(headers))}  # the first counts
    scheme, _, bearer = values.get(b"authorization", "").partition(" ")
    if scheme.lower() == BEARER and bearer.strip():
        yield BEARER, bearer.strip()
    if key := values.get(b"x-api-key", "").strip():
        yield API_KEY_HEADER, key
    for pair in values.get(b"cookie", "").split(";"):
        name, _, value = pair.partition("=")
        name = name.strip()
        # Over HTTPS a cookie without the prefix may be of a neighbour's making: a host of the same domain can set it.
        if value.strip() and name.startswith(HOST_PREFIX) == secure:
            yield cookie(name.removeprefix(HOST_PREFIX)), value.strip()
