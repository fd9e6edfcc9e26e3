"""The next people read while those before them are scored: PostgreSQL reads while this process computes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar, cast

from core.database import tenant_session
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


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items in the same order, each made by another thread while the one before it is used.

    What ``items`` holds (a session) must be used by nobody else until this ends. What making an item raises is raised
    in its place. Whoever stops before the end waits until the item that is being made is made.
    """
    end = object()
    context = copy_context()

    def make() -> object:
        return context.run(next, items, end)

    with ThreadPoolExecutor(1, thread_name_prefix="iit-ahead") as thread:
        following = thread.submit(make)
        while (item := following.result()) is not end:
            following = thread.submit(make)
            yield cast("Item", item)


@dataclass(frozen=True, slots=True)
class People:
    """The people of whole facilities.

    Attributes:
        after: the facility before them.
        facilities: none at the end.
        chunks: their timelines.
    """

    after: UUID | None
    facilities: list[UUID]
    chunks: list[Timelines]


def people_after(tenant: TenantRef, after: UUID | None, chunk_patients: int) -> Iterator[People]:
    """All people of the facilities after one, so many at a time or those of the largest facility; at last nobody, once.

    Each time is a transaction of its own, which has ended when they are handed over: who waits for the reader holds no
    connection that the reader needs, and the other way round.
    """
    texts = Texts()
    found = None
    while found is None or found.facilities:
        with tenant_session(tenant, actor=READER, readonly=True) as session:
            facilities = repository.next_facilities(session, after, chunk_patients)
            wanted = load_timelines(session, facility_uuids=facilities, chunk_patients=chunk_patients, texts=texts)
            found = People(after, facilities, list(wanted) if facilities else [])
        yield found
        after = facilities[-1] if facilities else None
