"""The records are a function of the set of lists: neither their order nor an import that was undone leaves a trace."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from core.database import TenantRef, tenant_session
from tenants.cohort.load import load_timelines
from tenants.cohort.timelines import NO_DAY, day_number, snapshot
from tests.tenants.imports.applying.worlds import (
    DAYS,
    EVENTS,
    PartnerList,
    Person,
    add_facility,
    bring_list,
    everything,
    lists,
    patient,
    undo,
)

_PLAIN = settings(
    max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate]
)


def records_of(tenant: TenantRef, order, *, undone=()):
    """The records after importing these lists and undoing some of them."""
    with tenant_session(tenant, actor="test:1") as session:
        add_facility(session)
        imports = [bring_list(session, one) for one in order]
        for index in undone:
            undo(session, imports[index])
        state = everything(session)
        session.rollback()
    return state


def differences(one, other):
    """Rows that only one of two results has."""
    return [
        (name, which, row)
        for name in one
        for which, mine, theirs in (("first", one, other), ("second", other, one))
        for row in mine[name]
        if row not in theirs[name]
    ]


@_PLAIN
@given(data=st.data(), world=st.lists(lists(), min_size=2, max_size=4))
def test_any_order_of_lists_gives_the_same_records_and_statuses(module_tenant, data, world):
    other = data.draw(st.permutations(world))
    assert differences(records_of(module_tenant, other), records_of(module_tenant, world)) == []


@_PLAIN
@given(data=st.data(), world=st.lists(lists(), min_size=1, max_size=3), extra=lists())
def test_a_list_that_was_undone_leaves_nothing(module_tenant, data, world, extra):
    place = data.draw(st.integers(0, len(world)))
    order = [*world[:place], extra, *world[place:]]
    assert differences(records_of(module_tenant, order, undone=[place]), records_of(module_tenant, world)) == []


def seen_on(session, day: date):
    """The content of a snapshot of everybody on a day, by person."""
    by_person = {}
    for timelines in load_timelines(session):
        for index, uuid in enumerate(timelines.patient_uuid):
            seen = snapshot(timelines, [index], [day_number(day)])
            by_person[uuid] = tuple(
                getattr(rows, name).tolist()
                for rows in (seen.profiles, seen.contacts, seen.states)
                for name in rows.__dataclass_fields__
                if isinstance(getattr(rows, name), np.ndarray) and name not in ("known_from", "known_to", "offsets")
            )
    return by_person


def events_of(session, day: date, uuids):
    """What a snapshot of these people on a day has besides sex and birth, which are not events."""
    events = []
    for timelines in load_timelines(session, patient_uuids=sorted(uuids)):
        index = list(range(len(timelines)))
        seen = snapshot(timelines, index, [day_number(day)] * len(index))
        events += [seen.contacts.date.tolist(), seen.states.date.tolist(), seen.bookings.booked.tolist()]
        events += [seen.gaps.date.tolist(), seen.observations.date.tolist()]
        events.append([start for start in seen.profiles.art_start.tolist() if start != NO_DAY])
    return [each for each in events if each]


_WITH_A_NEWCOMER = {
    "world": [
        PartnerList("lamisplus-pharmacy", DAYS[1], ((1, Person(((EVENTS[2], 90), (EVENTS[3], 90)))),), digest="w"),
    ],
    "later": PartnerList(
        "lamisplus-pharmacy",
        DAYS[2],
        ((3, Person(((EVENTS[0], 30), (EVENTS[2], 90), (EVENTS[5], 30)), sex="M", status="iit")),),
        gaps=(3,),
        digest="l",
    ),
}
"""The newcomer's first contact that no earlier list lacked is after them: the newcomer's beginning is assumed."""


@_PLAIN
@example(**_WITH_A_NEWCOMER)
@given(world=st.lists(lists(("lamisplus-pharmacy",)), min_size=1, max_size=2), later=lists(("lamisplus-pharmacy",)))
def test_a_later_list_of_a_kind_changes_nothing_that_was_known_before(module_tenant, world, later):
    day = max(one.day for one in world)
    whole = [PartnerList(**(one.__dict__ | {"gaps": ()})) for one in world]
    newest = PartnerList(**(later.__dict__ | {"day": day + timedelta(days=60)}))
    with tenant_session(module_tenant, actor="test:1") as session:
        add_facility(session)
        for one in whole:
            bring_list(session, one)
        before = {at: seen_on(session, at) for at in (day - timedelta(days=45), day)}
        bring_list(session, newest)
        for at, known in before.items():
            now = seen_on(session, at)
            assert {uuid: now[uuid] for uuid in known} == known
            assert events_of(session, at, now.keys() - known.keys()) == []
        session.rollback()


PHARMACY = PartnerList(
    "lamisplus-pharmacy",
    date(2024, 11, 27),
    ((1, Person(pickups=tuple((date(2024, 1, 5) + timedelta(days=28 * n), 30) for n in range(11)))),),
    digest="a",
)
RADET = PartnerList(
    "radet-lamisplus",
    date(2024, 9, 30),
    ((1, Person(pickups=((date(2024, 9, 13), 30),), sex="F", start=date(2024, 1, 5), status="active")),),
    digest="b",
)


@pytest.mark.parametrize("order", [(PHARMACY, RADET), (RADET, PHARMACY)], ids=["pharmacy first", "radet first"])
def test_a_radet_and_a_later_pharmacy_list_give_sex_start_and_a_regular_past(module_tenant, order):
    with tenant_session(module_tenant, actor="test:1") as session:
        add_facility(session)
        for one in order:
            bring_list(session, one)
        records = everything(session)
        session.rollback()
    (person,) = [row for row in records["patients"] if row[2] is None]
    assert person[9:11] == ("F", date(2024, 1, 5))
    learned = {row[9]: row[1].date() for row in records["dispensations"]}
    assert learned[date(2024, 5, 24)] == date(2024, 5, 26)
    reasons = [row[5] for row in records["transitions"]]
    assert reasons[0] == "new"
    assert "interrupted" not in reasons[:-1]


def test_an_event_missing_from_the_radet_is_known_from_the_list_that_brings_it(module_tenant):
    early = PartnerList(
        "radet-lamisplus", DAYS[2], ((1, Person(pickups=((EVENTS[1], 30),), status="iit")),), digest="r"
    )
    late = PartnerList(
        "lamisplus-pharmacy", date(2024, 11, 27), ((1, Person(pickups=((EVENTS[1], 30), (EVENTS[4], 30)))),), digest="p"
    )
    for order in ((early, late), (late, early)):
        records = records_of(module_tenant, order)
        learned = {row[9]: (row[1].date(), row[3]) for row in records["dispensations"] if row[0]}
        assert learned[EVENTS[4]] == (date(2024, 11, 26), False)
        assert learned[EVENTS[1]][1]


def test_an_unread_contact_ends_with_the_next_clean_list_in_any_order(module_tenant):
    unread = PartnerList("lamisplus-pharmacy", DAYS[0], ((1, Person(unread=True)),), digest="u")
    clean = PartnerList("lamisplus-pharmacy", DAYS[1], ((1, Person(sex="F")),), digest="c")
    other = PartnerList("csv", DAYS[0], ((1, Person(sex="F")),), digest="o")
    for order in ((unread, clean, other), (clean, other, unread)):
        ((uuid, *_, start, end),) = records_of(module_tenant, order)["unread"]
        assert (uuid, start.date(), end.date()) == (patient(1), date(2024, 3, 30), date(2024, 6, 29))
    ((*_, open_end),) = records_of(module_tenant, (unread, clean), undone=[1])["unread"]
    assert open_end is None
