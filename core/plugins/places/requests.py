"""Files by HTTPS, as a plugin describes the requests for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO, Final
from uuid import uuid4

import httpx

from core.clock import now
from core.outgoing import download
from core.plugins.filling import Filling, fill
from core.plugins.places.errors import SOURCES, PlaceError, as_place_errors, error_of
from core.plugins.rates import wait_before
from core.plugins.request_sender import meter, send_one
from core.plugins.usable_instances import UsableInstance
from plugins.sdk import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugins.sdk import HttpRequest, HttpResponse

LARGEST_INDEX: Final = 1_048_576
"""Most bytes of an answer that names files."""
LONGEST_TAG: Final = 200
"""Most characters of a tag or a date that is sent back."""


@dataclass(frozen=True, slots=True)
class Validators:
    """By what a server sees that its file is still the one that was fetched (RFC 9110, section 8.8).

    Attributes:
        etag: its tag, as the server wrote it; empty if it sends none.
        modified: when it was last modified, as the server wrote it; empty if it does not say.
    """

    etag: str = ""
    modified: str = ""

    def conditions(self) -> dict[str, str]:
        """Return the headers that ask for the file only if it is another one."""
        if self.etag:
            return {"If-None-Match": self.etag}
        return {"If-Modified-Since": self.modified} if self.modified else {}

    @classmethod
    def of(cls, headers: Mapping[str, str]) -> Validators:
        """Return those of an answer; what could not be sent back is left out."""
        names = {str(name).lower(): str(value) for name, value in headers.items()}
        etag, modified = (
            text if len(text) <= LONGEST_TAG and text.isascii() and text.isprintable() else ""
            for text in (names.get("etag", ""), names.get("last-modified", ""))
        )
        return cls(etag, modified)


NO_VALIDATORS: Final = Validators()


def answer_of(opened: UsableInstance, request: HttpRequest) -> HttpResponse:
    """Return the answer that names the files of a place.

    Raises:
        PlaceError: there is none, or it says that the place cannot be read.
        TransactionOpenError: a transaction is open.
    """
    response = send_one(opened, request, str(uuid4()), {}, largest=LARGEST_INDEX)
    if isinstance(response, Outcome):
        if response.reason in ("address_not_allowed", "host_not_allowed"):
            raise PlaceError("address_not_allowed")
        raise PlaceError("paused" if response.state == "retry" else "bad_settings")
    if response.failure is not None:
        raise PlaceError(response.failure)
    if response.status >= httpx.codes.BAD_REQUEST:
        raise error_of(response.status, response.headers)
    return response


def fetch_request(
    opened: UsableInstance, request: HttpRequest, into: BinaryIO, *, largest: int, unless: Validators = NO_VALIDATORS
) -> Validators | None:
    """Write the file that a request fetches.

    Args:
        opened: the instance.
        request: as its plugin described it.
        into: gets the file; after an error it may hold a part of it.
        largest: most bytes of the file.
        unless: of the file as it is known; the same one is not sent again.

    Returns:
        The validators of the file; None if it is the known one, and nothing was written.

    Raises:
        PlaceError: the file cannot be fetched as a whole.
        TransactionOpenError: a transaction is open.
    """
    conditions = unless.conditions() if request.method == "GET" else {}
    with as_place_errors():
        filled = fill(request, Filling(opened.secrets, opened.hosts, str(uuid4()), int(now().timestamp())))
        wait = wait_before(opened.instance_id, opened.offer.per_minute)
        if wait:
            raise PlaceError("rate_limited", timedelta(seconds=wait))
        meter(opened)
        instance = f"{opened.instance_id} {filled.url.host}"
        filled = replace(filled, headers={**conditions, **filled.headers})
        answer = download(SOURCES, filled, into, tenant=opened.tenant.id, instance=instance, largest=largest)
    if conditions and answer.status == httpx.codes.NOT_MODIFIED:
        return None
    if answer.status != httpx.codes.OK:
        raise error_of(answer.status, answer.headers)
    return Validators.of(answer.headers)
