"""Read the next people while the people before them are scored: PostgreSQL reads while this process computes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar, cast

from core.database import tenant_session
from core.telemetry import separate
from tenants.cohort.load import load_timelines
from tenants.cohort.texts import Texts
from tenants.risk import repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

    from core.database import TenantRef
    from tenants.cohort.timelines import Timelines

Item = TypeVar("Item")
READER: Final = "system:scoring"


def prefetch(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the same items in the same order. A thread makes each item while the caller uses the one before.

    Nobody else may use what ``items`` holds (a session) until this ends. An error while an item is made is raised in
    the item's place. A caller who stops early waits until the present item is made.
    """
    end = object()
    context = copy_context()
    context.run(separate)  # a transaction that the thread has open must not stop the caller from calling a model

    def make() -> object:
        return context.run(next, items, end)

    with ThreadPoolExecutor(1, thread_name_prefix="iit-ahead") as thread:
        following = thread.submit(make)
        while (item := following.result()) is not end:
            following = thread.submit(make)
            yield cast("Item", item)


@dataclass(frozen=True, slots=True)
class People:
    """The people of one or more whole facilities.

    Attributes:
        after: the facility that comes before these in the order; None at the start.
        facilities: UUIDs of the facilities; none at the end.
        chunks: timelines of the people.
    """

    after: UUID | None
    facilities: list[UUID]
    chunks: list[Timelines]


def people_after(
    tenant: TenantRef, after: UUID | None, chunk_patients: int, until: UUID | None = None
) -> Iterator[People]:
    """Yield the people of all facilities after one, up to ``until`` if it is given.

    An item has about ``chunk_patients`` people, and at least one facility.
    The last item has no facilities. Each item is read in a transaction that has ended when it is yielded. So the caller
    and the reader never wait for a connection that the other one holds.
    """
    texts = Texts()
    people = None
    while people is None or people.facilities:
        with tenant_session(tenant, actor=READER, readonly=True) as session:
            facilities = repository.next_facilities(session, after, chunk_patients, until)
            timelines = load_timelines(session, facility_uuids=facilities, chunk_patients=chunk_patients, texts=texts)
            people = People(after, facilities, list(timelines) if facilities else [])
        yield people
        after = facilities[-1] if facilities else None
