"""The examples of the document can be true together."""

import math
from itertools import pairwise

import pytest
from pydantic import TypeAdapter, ValidationError

from core.access.require import api_routes
from tests.core.app.documents import examples, objects

ENDED = {"dead", "done", "failed", "cancelled", "undone", "discarded"}


def test_what_is_accepted_is_not_done_yet(operations):
    accepted = {place: example for place, _, example in examples(operations) if place.endswith(" 202")}
    assert len(accepted) >= 5
    odd = [
        place
        for place, example in accepted.items()
        if example.get("state") in ENDED or (example.get("finished_at") and example.get("state") != "undoing")
    ]
    assert odd == []


def test_an_example_has_an_end_if_and_only_if_its_state_is_an_end(operations):
    stateful = [
        (place, part)
        for place, _, example in examples(operations)
        for part in objects(example)
        if {"state", "finished_at"} <= part.keys()
    ]
    assert {part["state"] for _, part in stateful} >= {"pending", "running", "done", "cancelled", "undoing"}
    odd = [
        place
        for place, part in stateful
        if (part["finished_at"] is not None) != (part["state"] in ENDED | {"undoing"})
        or (part.get("started_at", "not told") is None and part["state"] in {"running", "done", "undoing"})
    ]
    assert odd == []


ORDER = ("created_at", "started_at", "finished_at", "expires_at")
SPANS = (("start", "end"), ("known_from", "known_to"), ("trained_through", "trained_at"), ("risk_low", "risk_high"))
SPANS += (("done", "total"), ("first_contact", "last_contact"), ("page", "total"))


def test_examples_are_in_the_order_of_time_and_number(operations):
    pairs = [*pairwise(ORDER), ("created_at", "finished_at"), ("created_at", "expires_at"), *SPANS]
    odd = [
        (place, earlier, later)
        for place, _, example in examples(operations)
        for part in objects(example)
        for earlier, later in pairs
        if part.get(earlier) is not None and part.get(later) is not None and part[earlier] > part[later]
    ]
    assert odd == []


def test_the_rows_of_every_import_add_up(operations):
    imports = [part for _, _, example in examples(operations) for part in objects(example) if "rows_waiting" in part]
    assert len(imports) >= 4
    for part in imports:
        assert part["rows_read"] == part["rows_accepted"] + part["rows_rejected"] + part["rows_waiting"]
        assert part["rows_rejected"] == sum(problem["count"] for problem in part["problems"])
        assert part["rows_waiting"] == sum(reason["rows"] for reason in part["waiting"])
        assert part["people"] == sum(part["counts"].get("patients", {}).values())
        assert bool(part["failure"]) == bool(part["error"]) == (part["state"] in {"failed", "stalled"})


def test_the_numbers_of_a_list_are_those_of_its_facilities_and_people(operations):
    lists = [part for _, _, example in examples(operations) for part in objects(example) if "entries" in part]
    assert len(lists) >= 3
    for part in lists:
        assert part["candidates"] == sum(place["candidates"] for place in part["facilities"])
        assert part["entries"] == sum(place["listed"] for place in part["facilities"]) <= part["candidates"]
        assert part["capacity"] >= max(place["listed"] for place in part["facilities"])
        assert len(part.get("people", [])) <= part["entries"]


def parts_with(operations, *names):
    """Every object of an example that has these fields."""
    parts = [part for _, _, example in examples(operations) for part in objects(example) if set(names) <= part.keys()]
    assert parts, names
    return parts


def test_people_by_status_add_up(operations):
    for part in parts_with(operations, "patients", "statuses"):
        assert part["patients"] == sum(part["statuses"].values())
    for part in parts_with(operations, "compared", "counts"):
        assert part["compared"] == sum(row["people"] for row in part["counts"])
        assert part["agreed"] == sum(row["people"] for row in part["counts"] if row["agree"])
        assert part["compared"] - part["agreed"] == sum(row["people"] for row in part["reasons"])


def test_a_status_is_that_of_the_last_change(operations):
    for part in parts_with(operations, "status", "transitions"):
        assert part["status"] == part["transitions"][-1]["to_status"]


def test_a_report_has_facilities_if_and_only_if_it_is_of_no_one_facility(operations):
    for part in parts_with(operations, "facility", "facilities", "measures"):
        assert (part["facility"] is None) == bool(part["facilities"])


def test_what_is_written_over_the_api_has_it_as_its_source(operations):
    for name in ("POST /v1/patients", "POST /v1/facilities", "POST /v1/visits"):
        answer = operations[name]["responses"]["201"]["content"]["application/json"]["example"]
        assert answer["source"] == "api", name


def test_the_figures_of_a_model_are_shown(operations):
    for name in ("gates", "card", "when_trained", "features"):
        assert all(part[name] for part in parts_with(operations, "trained_at", name))


def test_the_reasons_of_a_risk_add_up(operations):
    risks = [part for _, _, example in examples(operations) for part in objects(example) if "raw_log_odds" in part]
    assert risks
    for part in risks:
        total = part["base"] + sum(each["contribution"] for each in part["reasons"]) + part["other_contribution"]
        assert total == pytest.approx(part["raw_log_odds"], abs=0.02)
        for name, odds in (("raw_score", "raw_log_odds"), ("usual_risk", "base")):
            assert 1 / (1 + math.exp(-part[odds])) == pytest.approx(part[name], abs=0.01)


def test_a_page_leads_on_only_where_there_is_more(operations):
    pages = [part for _, _, example in examples(operations) for part in objects(example) if "page_size" in part]
    assert len(pages) >= 10
    for part in pages:
        total, shown = part.get("total", part.get("entries")), part.get("items", part.get("people"))
        more = total is not None and total > part["page"] * part["page_size"]
        assert bool(part["next"]) == more
        assert bool(part["previous"]) == (part["page"] > 1)
        assert len(shown) <= part["page_size"]
        assert total is None or len(shown) <= total


def test_an_identifier_stands_for_one_thing(operations):
    """A patient that has the identifier of its facility or its job cannot be."""
    things = {}
    for _, _, example in examples(operations):
        for part in objects(example):
            for name, value in part.items():
                others = {"canonical_id": "patient", "subject_id": part.get("subject_type")}
                thing = others.get(name, name.removesuffix("_id"))
                if name.endswith("_id") and isinstance(value, str):
                    things.setdefault(value, set()).add(thing)
    shared = {value: sorted(names) for value, names in things.items() if len(names) > 1}
    assert shared == {}


def test_the_answer_to_a_write_repeats_its_body(operations):
    odd = []
    for name, operation in operations.items():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        answers = [value for status, value in operation["responses"].items() if status in {"200", "201"}]
        for answer in answers:
            shown = answer.get("content", {}).get("application/json", {}).get("example")
            if isinstance(shown, dict) and isinstance(content.get("example"), dict):
                sent = {key: value for key, value in content["example"].items() if value is not None}
                odd += [(name, key) for key in sent.keys() & shown.keys() if shown[key] != sent[key]]
    assert odd == []


def request_bodies(document):
    """The example of each JSON body: method, path, example."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            if "example" in content:
                yield method, path, content["example"]


def test_a_body_that_is_an_example_is_accepted(application):
    bodies = {f"{method} {path}": body for method, path, body in request_bodies(application.openapi())}
    odd = []
    for route in api_routes(application):
        for method in route.methods:
            example = bodies.get(f"{method.lower()} {route.path}")
            if example is None or route.body_field is None:
                continue
            try:
                TypeAdapter(route.body_field.field_info.annotation).validate_python(example)
            except ValidationError as error:
                odd.append((route.path, [finding["msg"] for finding in error.errors()]))
    assert len(bodies) >= 20
    assert odd == []
