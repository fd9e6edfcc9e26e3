"""The routes of messages, their texts, and consent to them."""

from typing import Any
from uuid import UUID, uuid4

from core.database import tenant_session
from core.tenancy import settings as tenant_settings
from plugins.sdk import IncomingSms
from tenants.messages import incoming
from tenants.messages.settings import MessageSettings
from tests.isolation.routes import Call, World, case

GATEWAY = UUID("019c2253-7220-70a7-a610-b4172b5ebaa0")
CONSENT = {"purpose": "follow_up", "agrees": True, "source": "verbal"}


def new_patient(world: World, phone: str = "", facility: str = "") -> str:
    datim_id = facility or f"M{uuid4().hex[:10]}"
    if not facility:
        world.json("POST", "/v1/facilities", json={"datim_id": datim_id, "name": f"Place {datim_id}"})
    body = {"facility": datim_id, "hospital_number": uuid4().hex[:10], "phone": phone or _phone()}
    answer = world.owner.post("/v1/patients", json=body)
    return answer.headers["location"].rsplit("/", 1)[1]


def _phone() -> str:
    return f"0803{uuid4().int % 10**7:07d}"


def _consenting(world: World, facility: str = "") -> str:
    """A patient to whom a message can be sent, on every day and at every hour."""
    patient = new_patient(world, facility=facility)
    values = {"active": True, "gateway": GATEWAY, "first_hour": 0, "last_hour": 24, "free_weekdays": ()}
    with tenant_session(world.tenant, actor="test:1") as session:
        tenant_settings.put(session, MessageSettings(**values, most_per_day=5))
    new_template(world, "follow_up")
    world.json("POST", f"/v1/patients/{patient}/consents", json=CONSENT)
    return patient


def new_template(world: World, purpose: str = "surveys") -> Any:
    body = {"purpose": purpose, "language": "en", "body": f"Hello {uuid4().hex[:6]}"}
    return world.json("POST", "/v1/message-templates", json=body)["id"]


def _body(patient: str) -> dict[str, str]:
    return {"id": str(uuid4()), "patient_id": patient, "purpose": "follow_up"}


def new_message(world: World, facility: str = "") -> Any:
    return world.json("POST", "/v1/messages", json=_body(_consenting(world, facility)))["id"]


def new_incoming(world: World, *, facility: str = "") -> str:
    """A message of a patient that is not clear."""
    phone = _phone()
    patient = new_patient(world, phone, facility)
    with tenant_session(world.tenant, actor="test:1") as session:
        incoming.take(session, GATEWAY, IncomingSms(phone, "who is this", uuid4().hex))
    items = world.json("GET", "/v1/incoming-messages")
    return str(next(item["id"] for item in items if item["patient_id"] == patient))


def new_unmatched(world: World) -> str:
    """A message of a phone that no patient has."""
    reference = uuid4().hex
    with tenant_session(world.tenant, actor="test:1") as session:
        incoming.take(session, GATEWAY, IncomingSms(_phone(), reference, reference))
    items = world.json("GET", "/v1/incoming-messages")
    return str(next(item["id"] for item in items if item["text"] == reference))


@case("GET", "/v1/patients/{patient_id}/consents", kind="item")
def list_consents(world: World) -> Call:
    return Call(path={"patient_id": new_patient(world)})


@case("POST", "/v1/patients/{patient_id}/consents", kind="item")
def record_consent(world: World) -> Call:
    return Call(path={"patient_id": new_patient(world)}, json=CONSENT)


@case("GET", "/v1/message-templates", kind="collection")
def list_message_templates(world: World) -> Call:
    return Call(params={"retired": "true"}, marks=[new_template(world)])


@case("POST", "/v1/message-templates", kind="own")
def save_message_template(world: World) -> Call:
    new_template(world)
    body = {"purpose": "surveys", "language": "en", "body": "Good day"}
    return Call(json=body, state=lambda: world.json("GET", "/v1/message-templates", params={"retired": True}))


@case("POST", "/v1/message-templates/preview", kind="own")
def preview_message_template(world: World) -> Call:
    return Call(json={"body": "Good day"}, state=lambda: world.json("GET", "/v1/message-templates"))


@case("GET", "/v1/message-templates/{template_id}", kind="item")
def get_message_template(world: World) -> Call:
    return Call(path={"template_id": new_template(world)})


@case("POST", "/v1/message-templates/{template_id}/retire", kind="item")
def retire_message_template(world: World) -> Call:
    return Call(path={"template_id": new_template(world)})


@case("GET", "/v1/messages", kind="collection")
def list_messages(world: World) -> Call:
    return Call(marks=[new_message(world)])


@case("POST", "/v1/messages", kind="item")
def send_message(world: World) -> Call:
    return Call(json=_body(_consenting(world)), rejected=422)


@case("GET", "/v1/messages/{message_id}", kind="item")
def get_message(world: World) -> Call:
    return Call(path={"message_id": new_message(world)})


@case("POST", "/v1/messages/{message_id}/cancel", kind="item")
def cancel_message(world: World) -> Call:
    return Call(path={"message_id": new_message(world)})


@case("GET", "/v1/incoming-messages", kind="collection")
def list_incoming_messages(world: World) -> Call:
    return Call(marks=[new_incoming(world)])


@case("POST", "/v1/incoming-messages/{message_id}/settle", kind="item")
def settle_incoming_message(world: World) -> Call:
    return Call(path={"message_id": new_incoming(world)}, json={"answer": "nothing"})
