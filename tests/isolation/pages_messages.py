"""The rows of the pages of messages, and the things that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.isolation.cases_messages import new_incoming, new_message, new_template, new_unmatched
from tests.isolation.pages import Row

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.isolation.routes import World

_PATIENT = ("patient_id",)
_CONSENT = {"purpose": "surveys", "decision": "yes", "source": "verbal"}
_TEXT = {"purpose": "surveys", "language": "en", "body": "Good day"}
ROWS = [
    Row("GET", "/messages", "messages.read"),
    Row("POST", "/messages/{incoming_id}/settle", "messages.answer", ("incoming_id",), {"answer": "nothing"}, 303),
    # Who reaches some facilities sees no message of an unknown phone.
    Row("GET", "/messages/{unmatched_id}/patient", "messages.answer", ("unmatched_id",), confined=False),
    Row(
        "POST",
        "/messages/{unmatched_id}/patient",
        "messages.answer",
        ("unmatched_id",),
        {"text": "Ada"},
        confined=False,
    ),
    Row("POST", "/messages/{message_id}/cancel", "messages.send", ("message_id",), status=303),
    Row("GET", "/patients/{patient_id}/messages", "consents.read", _PATIENT),
    Row("POST", "/patients/{patient_id}/consents", "consents.write", _PATIENT, _CONSENT, 303),
    # The patient has not consented: 409 for whoever may send.
    Row("POST", "/patients/{patient_id}/messages", "consents.read", _PATIENT, {"message_id": "{new_id}"}, 409),
    Row("GET", "/admin/message-texts", "templates.read"),
    Row("GET", "/admin/message-texts/new", "templates.write", confined=False),
    Row("POST", "/admin/message-texts/new", "templates.write", form=_TEXT, status=303, confined=False),
    Row(
        "POST",
        "/admin/message-texts/{template_id}/retire",
        "templates.write",
        ("template_id",),
        status=303,
        confined=False,
    ),
]


def things_of(world: World, names: Collection[str], facility: str) -> dict[str, str]:
    """A message, an incoming one and a text of the owner, new for each test, if a row names them."""
    things = {}
    if "message_id" in names:
        things["message_id"] = str(new_message(world, facility))
    if "incoming_id" in names:
        things["incoming_id"] = new_incoming(world, facility=facility)
    if "unmatched_id" in names:
        things["unmatched_id"] = new_unmatched(world)
    if "template_id" in names:
        things["template_id"] = str(new_template(world))
    return things
