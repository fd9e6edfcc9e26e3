"""A provider's metadata and keys, cached for an hour."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, OKPKey, RSAKey
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from core.errors import phrase
from core.identity.oidc.fetching import ProviderFaultError, ask, reject_address

if TYPE_CHECKING:
    from collections.abc import Callable

ALGORITHMS: Final = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
"""Signatures that a provider alone can make. A client secret can make those of HS256, and anybody those of none."""

LASTS_SECONDS: Final = 3600.0
REFRESH_SECONDS: Final = 10.0
"""Keys are not fetched again sooner than this, whatever key ids tokens name."""

REMEMBERED: Final = 256
MOST_KEYS: Final = 50
WELL_KNOWN: Final = "/.well-known/openid-configuration"
_OK: Final = 200

Address = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class Metadata(BaseModel):
    """The part of a provider's metadata that a sign-in needs."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    issuer: Address
    authorization_endpoint: Address
    token_endpoint: Address
    jwks_uri: Address
    end_session_endpoint: Address | None = None
    userinfo_endpoint: Address | None = None
    id_token_signing_alg_values_supported: list[str] = ["RS256"]
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    code_challenge_methods_supported: list[str] | None = None
    authorization_response_iss_parameter_supported: bool = False

    @property
    def algorithms(self) -> list[str]:
        """The asymmetric algorithms that the provider signs ID tokens with."""
        return sorted(ALGORITHMS.intersection(self.id_token_signing_alg_values_supported))


@dataclass(slots=True)
class Provider:
    """A provider's metadata and keys.

    Attributes:
        fetched_at: when they were fetched, on the clock of ``time.monotonic``.
    """

    metadata: Metadata
    keys: KeySet
    fetched_at: float = field(default_factory=time.monotonic)


_cache: OrderedDict[str, Provider] = OrderedDict()
_lock = Lock()


def discover(issuer: str) -> Provider:
    """The provider with this issuer, from the cache for up to an hour.

    Raises:
        ProviderFaultError: it cannot be reached, or describes itself in a way that cannot be used.
    """
    with _lock:
        known = _cache.get(issuer)
        if known is not None and time.monotonic() - known.fetched_at < LASTS_SECONDS:
            _cache.move_to_end(issuer)
            return known
    return _remember(issuer, discover_now(issuer))


def discover_now(issuer: str) -> Provider:
    """Fetch what the provider with this issuer says of itself, past the cache.

    Raises:
        ProviderFaultError: as ``discover``.
    """
    metadata = fetch_metadata(issuer)
    return Provider(metadata, fetch_keys(metadata))


def refreshed(issuer: str, provider: Provider) -> Provider:
    """The provider with its present keys: a token names a key that is not among those of the cache.

    Raises:
        ProviderFaultError: it cannot be reached.
    """
    if time.monotonic() - provider.fetched_at < REFRESH_SECONDS:
        return provider
    return _remember(issuer, discover_now(issuer))


def forget(issuer: str) -> None:
    """Forget a provider, whose configuration was changed."""
    with _lock:
        _cache.pop(issuer, None)


def _remember(issuer: str, provider: Provider) -> Provider:
    with _lock:
        _cache[issuer] = provider
        _cache.move_to_end(issuer)
        while len(_cache) > REMEMBERED:
            _cache.popitem(last=False)
    return provider


def fetch_metadata(issuer: str) -> Metadata:
    """Fetch and check the metadata.

    Raises:
        ProviderFaultError: it cannot be fetched, is not complete, or belongs to another issuer.
    """
    document = _document(issuer.rstrip("/") + WELL_KNOWN, "discovery")
    try:
        metadata = Metadata.model_validate(document)
    except ValidationError as error:
        missing = ", ".join(sorted({str(part["loc"][0]) for part in error.errors() if part["loc"]}))
        incomplete = phrase("the provider's metadata is not complete: {missing}", missing=missing)
        problem = incomplete if missing else "the metadata is not a JSON object"
        raise ProviderFaultError("discovery", problem, "Check that this is an OpenID Connect provider.") from None
    if metadata.issuer != issuer:
        problem = "the provider calls itself by another issuer"
        remedy = phrase(
            "Set the issuer exactly as {well_known} names it, with or without the slash at its end.",
            well_known=WELL_KNOWN,
        )
        raise ProviderFaultError("issuer", problem, remedy)
    needed = (metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri)
    for address in (*needed, metadata.end_session_endpoint, metadata.userinfo_endpoint):
        if address is not None:
            reject_address(address)
    if not metadata.algorithms:
        problem = "the provider signs ID tokens with no asymmetric algorithm"
        raise ProviderFaultError("algorithms", problem, "Let it sign ID tokens with RS256 or ES256.")
    return metadata


def fetch_keys(metadata: Metadata) -> KeySet:
    """Fetch the public keys that sign tokens.

    Raises:
        ProviderFaultError: they cannot be fetched, or there are none.
    """
    document = _document(metadata.jwks_uri, "keys")
    entries = document.get("keys") if isinstance(document, dict) else None
    keys = [key for key in map(_public_key, (entries if isinstance(entries, list) else [])[:MOST_KEYS]) if key]
    if not keys:
        raise ProviderFaultError("keys", "the provider publishes no key that signs tokens", "Check its jwks_uri.")
    return KeySet(keys)


def _public_key(entry: object) -> Key | None:
    """The key of an entry; None where it signs nothing, is symmetric, or cannot be read (RFC 7517, section 5)."""
    if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
        return None
    readers: dict[str, Callable[[Any], Key]] = {
        "RSA": RSAKey.import_key,
        "EC": ECKey.import_key,
        "OKP": OKPKey.import_key,
    }
    reader = readers.get(str(entry.get("kty")))
    if reader is None:
        return None
    try:
        return reader({name: value for name, value in entry.items() if name != "d"})
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _document(address: str, check: str) -> Any:  # noqa: ANN401 - whatever the provider sent
    answer = ask("GET", address)
    document = answer.json() if answer.status == _OK else None
    if document is None:
        problem = phrase("{address} answers {status}, not a JSON document", address=address, status=answer.status)
        raise ProviderFaultError(check, problem, "Check the issuer: open this address in a browser.")
    return document
