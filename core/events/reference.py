"""Writes the catalogue of events: ``docs/reference/asyncapi.json``, and the table of ``docs/reference/events.md``.

``python -m core.events.reference`` rewrites both; a test keeps them equal to what the features declare.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from core.events.catalogue import event_types, public_types
from core.events.schemas import COUNT, ID, TEXT, described, fields
from core.settings import CHECKOUT

if TYPE_CHECKING:
    from core.feature_registry import EventType

ASYNCAPI: Final = CHECKOUT / "docs/reference/asyncapi.json"
PAGE: Final = CHECKOUT / "docs/reference/events.md"
BEGIN: Final = "<!-- generated: python -m core.events.reference -->\n"
END: Final = "<!-- end -->\n"


def envelope_schema(event: EventType) -> dict[str, Any]:
    """Return the schema of what other systems receive: the payload of a type in its envelope."""
    return fields(
        id=described(ID, "The event's id, the same each time that it is sent."),
        type={"const": event.name},
        version={"const": event.version},
        timestamp=described({"type": "string", "format": "date-time"}, "When it was published, in UTC."),
        subject=described(TEXT, f"The id of {event.subject}."),
        data=dict(event.schema),
        sequence=described(
            COUNT, "Its number among the partner's events, in the order of commits, from 1; 0 for examples."
        ),
    )


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of the public events."""
    public = public_types()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Events of the IIT platform",
            "version": "1",
            "description": "Events for other systems. They contain ids and figures, never a person's data.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "events": {
                "description": "The events of one partner.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in public},
            }
        },
        "operations": {
            "receiveEvents": {
                "action": "send",
                "channel": {"$ref": "#/channels/events"},
                "summary": "The platform sends events to the partner's systems.",
                "messages": [{"$ref": f"#/channels/events/messages/{name}"} for name in public],
            }
        },
        "components": {"messages": {name: _message(event) for name, event in public.items()}},
    }


def table() -> str:
    """Return the table of all events, as Markdown."""
    rows = ["| event | version | says | carries | for other systems |", "|---|---|---|---|---|"]
    for name, event in event_types().items():
        carried = ", ".join(f"`{field}`" for field in event.schema["properties"])
        reach = "yes" if event.public else "no"
        rows.append(
            f"| `{name}` | {event.version} | {event.description} Subject: {event.subject} | {carried} | {reach} |"
        )
    return "\n".join(rows) + "\n"


def written(page: str) -> str:
    """Return the page with the table of today between its marks."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


def document() -> str:
    """Return the text of the AsyncAPI document."""
    return json.dumps(asyncapi(), indent=1) + "\n"


def _message(event: EventType) -> dict[str, Any]:
    envelope = {
        "id": "0197a5f0-0000-7000-8000-0000000000ff",
        "type": event.name,
        "version": event.version,
        "timestamp": "2026-11-29T03:12:44.120000+00:00",
        "subject": str(next(iter(event.example.values()), "subject")),
        "data": dict(event.example),
        "sequence": 1041,
    }
    return {
        "name": event.name,
        "title": event.name,
        "summary": event.description,
        "payload": {"schemaFormat": "application/schema+json;version=draft-07", "schema": envelope_schema(event)},
        "examples": [{"name": "example", "payload": envelope}],
    }


if __name__ == "__main__":
    ASYNCAPI.write_text(document(), encoding="utf-8")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
