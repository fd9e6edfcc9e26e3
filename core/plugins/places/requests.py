"""Files by HTTPS, as a plugin describes the requests for them."""

from __future__ import annotations

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
    from plugins.sdk import HttpRequest, HttpResponse

LARGEST_INDEX: Final = 1_048_576
"""Most bytes of an answer that names files."""


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


def fetch_request(opened: UsableInstance, request: HttpRequest, into: BinaryIO, *, largest: int) -> None:
    """Write the file that a request fetches.

    Args:
        opened: the instance.
        request: as its plugin described it.
        into: gets the file; after an error it may hold a part of it.
        largest: most bytes of the file.

    Raises:
        PlaceError: the file cannot be fetched as a whole.
        TransactionOpenError: a transaction is open.
    """
    with as_place_errors():
        filled = fill(request, Filling(opened.secrets, opened.hosts, str(uuid4()), int(now().timestamp())))
        wait = wait_before(opened.instance_id, opened.offer.per_minute)
        if wait:
            raise PlaceError("rate_limited", timedelta(seconds=wait))
        meter(opened)
        instance = f"{opened.instance_id} {filled.url.host}"
        answer = download(SOURCES, filled, into, tenant=opened.tenant.id, instance=instance, largest=largest)
    if answer.status != httpx.codes.OK:
        raise error_of(answer.status, answer.headers)
