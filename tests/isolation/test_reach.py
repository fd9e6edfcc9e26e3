"""Every route, called by somebody of the same tenant who reaches one facility, one state, or assigned patients only.

A route either confines its queries to that reach, or rejects such callers. The facility is empty, and nobody is
assigned: whatever an answer shows or counts is out of reach.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from core.access.require import Requirement, access_rules, api_routes
from core.errors import Unauthenticated
from core.identity import CredentialOwner, Principal, all_permissions, credentials
from core.identity.credentials import BEARER, credential_kinds
from tests.isolation.routes import SUCCESSES, all_cases
from tests.keyed import KeyedClient

CASES = all_cases()
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "api.md"
OF_FACILITIES = {"/v1/facilities", "/v1/cohort/facilities"}
"""Lists that count a caller's own facility."""

OPEN_TO_ALL_OF_THE_TENANT = {
    ("GET", "/v1/me"),
    ("GET", "/v1/message-templates"),
    ("GET", "/v1/message-templates/{template_id}"),
    ("GET", "/v1/knowledge/documents"),
    ("GET", "/v1/knowledge/documents/{document_id}"),
    ("GET", "/v1/knowledge/documents/{document_id}/file"),
    ("GET", "/v1/knowledge/documents/{document_id}/passages"),
    ("GET", "/v1/knowledge/sources"),
    ("POST", "/v1/knowledge/ask"),
    ("POST", "/v1/knowledge/ask/stream"),
    ("PUT", "/v1/knowledge/questions/{question_id}/feedback"),
}
"""Answers that are the same for everybody of the tenant: texts of messages and guidelines name no patient."""
STATE = f"State {uuid4().hex}"


class Tokens:
    """Bearer tokens of people who reach a part of the facilities."""

    name = "token-of-reach"
    places = frozenset({BEARER})

    def __init__(self):
        self.people = {}

    def recognizes(self, credential):
        return credential.startswith("reach-")

    def verify(self, credential):
        if credential not in self.people:
            raise Unauthenticated("the session has ended")
        return self.people[credential]

    def confirm(self, principal):
        assert principal.credential_id in self.people

    def counts_as_guess(self, error):
        return False


@pytest.fixture(scope="module")
def people(application, world) -> Iterator[dict[str, TestClient]]:
    """Clients by what the person reaches."""
    tokens = Tokens()
    kinds = (*credential_kinds(), tokens)
    facility = world.json(
        "POST", "/v1/facilities", json={"datim_id": uuid4().hex[:11], "name": "Empty", "state_province": STATE}
    )
    reaches = {
        "reach-facility": {"facility_ids": frozenset({UUID(facility.get("id") or facility["uuid"])})},
        "reach-state": {"states": frozenset({STATE})},
        "reach-assigned": {"assigned_to": uuid4()},
    }
    for name, reach in reaches.items():
        person = Principal(
            "person", name, world.tenant.id, all_permissions(), credential=tokens.name, credential_id=name, **reach
        )
        tokens.people[name] = CredentialOwner(person, world.tenant)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(credentials, "credential_kinds", lambda: kinds)
        yield {name: KeyedClient(application, headers={"Authorization": f"Bearer {name}"}) for name in reaches}


def routes_where(application, attribute) -> set[tuple[str, str]]:
    """The routes whose requirements all have the attribute."""
    return {
        (method, route.path_format)
        for route in api_routes(application)
        for method in route.methods or ()
        if all(getattr(rule, attribute) for rule in access_rules(route) if isinstance(rule, Requirement))
    }


@pytest.fixture(scope="module")
def confined(application) -> set[tuple[str, str]]:
    """The routes that confine their queries."""
    return routes_where(application, "confined")


@pytest.fixture(scope="module")
def by_patient(application) -> set[tuple[str, str]]:
    """The routes that answer about single patients only."""
    return routes_where(application, "by_patient")


def totals(answer: Any) -> Iterator[int]:
    """Every count of an answer."""
    if isinstance(answer, dict):
        for name, value in answer.items():
            if name in ("total", "count", "patients") and isinstance(value, int):
                yield value
            yield from totals(value)
    elif isinstance(answer, list):
        for value in answer:
            yield from totals(value)


@pytest.mark.parametrize("name", ["reach-facility", "reach-state", "reach-assigned"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_rows_out_of_reach_are_neither_shown_nor_counted_nor_changed(case, name, world, people, confined, by_patient):
    if name != "reach-facility" and (case.method, case.path) not in confined:
        return  # rejected before anything is read, as the first person is
    allowed = by_patient if name == "reach-assigned" else confined
    call = case.prepare(world)
    before = call.state() if call.state else None
    answer = case.ask(people[name], call)
    assert (call.state() if call.state else None) == before
    seen = [mark for mark in call.marks if str(mark) in answer.text]
    assert not seen or (case.method, case.path) in OPEN_TO_ALL_OF_THE_TENANT
    if (case.method, case.path) not in allowed:
        assert answer.status_code == 403
        reason = "you reach some" if (case.method, case.path) not in confined else "assigned to you"
        assert reason in answer.json()["detail"]
    elif case.kind == "item" and (case.method, case.path) not in OPEN_TO_ALL_OF_THE_TENANT:
        assert answer.status_code == call.rejected, answer.text
        assert case.ask(world.owner, call).status_code in SUCCESSES
    else:
        assert answer.status_code in SUCCESSES, answer.text
        counts_all = case.path in OF_FACILITIES or (case.method, case.path) in OPEN_TO_ALL_OF_THE_TENANT
        if answer.headers["content-type"] == "application/json" and not counts_all:
            assert set(totals(answer.json())) <= {0}


def test_the_records_and_the_attempts_are_confined(confined):
    rooms = {
        "patients",
        "visits",
        "encounters",
        "observations",
        "dispensations",
        "appointments",
        "contacts",
        "attempts",
    }
    of_later_rooms = ("identity", "merge", "unmerge", "status", "risk")
    operations = {(case.method, case.path) for case in CASES if case.path.split("/")[2] in rooms}
    assert len(operations) >= 30
    assert {path for _, path in operations - confined if not path.endswith(of_later_rooms)} == set()
    assert {("GET", "/v1/records/statistics"), ("GET", "/v1/facilities")} <= confined


def test_me_names_what_the_person_reaches_as_every_other_answer_does(people):
    own = [facility["datim_id"] for facility in people["reach-facility"].get("/v1/facilities").json()["items"]]
    assert len(own) == 1
    scopes = {name: client.get("/v1/me").json()["scope"] for name, client in people.items()}
    assert scopes == {
        "reach-facility": {"facilities": own, "states": None, "assigned_only": False},
        "reach-state": {"facilities": None, "states": [STATE], "assigned_only": False},
        "reach-assigned": {"facilities": None, "states": None, "assigned_only": True},
    }


def operations_named_under(heading):
    """Method (None for any) and beginning of the path, of each operation in a table of the reference."""
    page = REFERENCE.read_text(encoding="utf-8")
    section = page.split(f"## {heading}")[1].split("## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    for name in re.findall(r"`([^`]+)`", "".join(rows)):
        method, _, path = name.rpartition(" ")
        yield method or None, path


@pytest.mark.parametrize("heading", ["Callers who reach some facilities", "Callers who reach assigned patients"])
def test_the_reference_names_each_operation_that_is_closed_and_no_other(confined, by_patient, heading):
    named = list(operations_named_under(heading))
    everything = {(case.method, case.path) for case in CASES}
    of_whole_tenant = heading == "Callers who reach some facilities"
    asked, allowed = (everything, confined) if of_whole_tenant else (everything & confined, by_patient)

    def of(method, path):
        begins = path.removesuffix("…")
        return {
            (verb, place)
            for verb, place in everything
            if method in (None, verb) and (place == path or (begins != path and place.startswith(begins)))
        }

    covered = set().union(*(of(*each) for each in named))
    assert [each for each in named if not of(*each)] == [], "the reference names what is not there"
    assert asked - allowed - covered == set()
    assert covered & allowed == set()
