"""The stream of events, which here ends after the events that are there."""

from core.events.catalogue import type_of
from core.events.outbox import publish_after_commit
from tests.isolation.routes import Call, World, case


@case("GET", "/v1/events/stream", kind="collection")
def stream_events(world: World) -> Call:
    with world.session() as session:
        event = publish_after_commit(session, "risk.scored", subject="s", payload=type_of("risk.scored").example)
    return Call(params={"wait": "false"}, headers={"Last-Event-ID": "0"}, marks=[event])
