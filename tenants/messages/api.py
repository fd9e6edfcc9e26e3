"""Routes of messages to patients, and of what patients send."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Response

from core.access import TenantDb, entitled, require
from core.entitlements import CapReached, PaymentRequired
from core.errors import Conflict, NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.web.event_loop import on_event_loop
from core.web.location import set_location
from core.web.paging import Page, PageRequest, long_pages
from tenants.messages import incoming, service
from tenants.messages.schemas import IncomingOut, MessageFilter, MessageOut, MessagePost, SettlePost

router = APIRouter(tags=["messages"])

Reader = Annotated[Principal, Depends(require("messages.read", confined=True, by_patient=True))]
Sender = Annotated[Principal, Depends(require("messages.send", confined=True, by_patient=True))]
Answerer = Annotated[Principal, Depends(require("messages.answer", confined=True, by_patient=True))]
Ordered = Annotated[PageRequest, Depends(long_pages({"created_at": datetime}, str(service.NEWEST_FIRST)))]
Wanted = Annotated[MessageFilter, Depends(on_event_loop(MessageFilter))]


@router.get("/messages", operation_id="list_messages", summary="List messages to and from patients, newest first")
def list_messages(_: Reader, db: TenantDb, paging: Ordered, wanted: Wanted) -> Page[MessageOut]:
    """Return one page of messages. The audit records the read of each patient on it."""
    return service.read_list(db, wanted, paging)


@router.post(
    "/messages",
    operation_id="send_message",
    status_code=202,
    summary="Send a text to a patient",
    responses=responses(Conflict, PaymentRequired, CapReached),
    dependencies=[Depends(entitled("sms"))],
)
def send_message(_: Sender, db: TenantDb, body: MessagePost, response: Response) -> MessageOut:
    """Send the template of a purpose to a patient, now or when quiet hours end. The same `id` sends one message."""
    message = service.send(db, body)
    set_location(response, f"/v1/messages/{message.id}")
    return message


@router.get(
    "/messages/{message_id}", operation_id="get_message", summary="Get a message", responses=responses(NotFound)
)
def get_message(_: Reader, db: TenantDb, message_id: UUID) -> MessageOut:
    """Return a message. The audit records the read of its patient."""
    return service.read(db, message_id)


@router.post(
    "/messages/{message_id}/cancel",
    operation_id="cancel_message",
    summary="Cancel a message that waits",
    responses=responses(NotFound, Conflict),
)
def cancel_message(_: Sender, db: TenantDb, message_id: UUID) -> MessageOut:
    """Cancel a message before it is sent."""
    return service.cancel(db, message_id)


@router.get(
    "/incoming-messages", operation_id="list_incoming_messages", summary="List messages that a person has to read"
)
def list_incoming_messages(_: Answerer, db: TenantDb) -> list[IncomingOut]:
    """Return the oldest 200 incoming messages whose answer or patient is not clear. The audit records the reads.

    Who reaches only some facilities gets those of their patients, and none of unknown phones.
    """
    return service.waiting_for_reader(db)


@router.post(
    "/incoming-messages/{message_id}/settle",
    operation_id="settle_incoming_message",
    status_code=204,
    summary="Record what an incoming message says",
    responses=responses(NotFound),
)
def settle_incoming_message(_: Answerer, db: TenantDb, message_id: UUID, body: SettlePost) -> None:
    """Record what a person read, and do what it asks for: an outcome, a planned call, or an end of messages."""
    incoming.settle(db, message_id, body)
