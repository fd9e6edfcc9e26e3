"""Every event has a type with a schema; a payload that breaks it is never published; the documents follow the types."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest

from core.database import tenant_session
from core.events.catalogue import check_payload, event_types, public_types, type_of
from core.events.outbox import LARGEST_PAYLOAD, publish_after_commit
from core.events.reference import ASYNCAPI, PAGE, asyncapi, document, envelope_schema, written
from core.feature_registry import Feature
from tests.core.events.features import any_event, declare


@pytest.mark.parametrize("event", event_types().values(), ids=lambda event: event.name)
def test_each_example_matches_its_schema(event):
    jsonschema.Draft202012Validator.check_schema(event.schema)
    check_payload(event, event.example)
    assert event.version >= 1
    with pytest.raises(ValueError, match="additionalProperties"):
        check_payload(event, {**event.example, "name": "x"})


@pytest.mark.parametrize("field", type_of("imports.completed").example)
def test_a_payload_without_a_field_does_not_match(field):
    event = type_of("imports.completed")
    with pytest.raises(ValueError, match="required"):
        check_payload(event, {name: value for name, value in event.example.items() if name != field})


def test_an_error_names_the_field_and_not_its_value():
    event = type_of("imports.completed")
    with pytest.raises(ValueError, match="import_id breaks the rule 'format'") as raised:
        check_payload(event, {**event.example, "import_id": "Amina Bello"})
    assert "Amina" not in str(raised.value)


def test_a_payload_that_breaks_its_schema_is_not_published(tenant):
    def act():
        with tenant_session(tenant, actor="test:1") as session:
            publish_after_commit(session, "risk.scored", subject="a", payload={"as_of": "yesterday"})

    with pytest.raises(ValueError, match="does not match its schema"):
        act()


def test_two_features_cannot_declare_one_event(monkeypatch):
    declare(monkeypatch, Feature("testing", events=(any_event("risk.scored"),)))
    with pytest.raises(RuntimeError, match="declared twice"):
        event_types()


def test_a_changed_type_is_checked_by_its_own_schema():
    event = any_event("testing.changing")
    check_payload(event, {"a": 1})
    with pytest.raises(ValueError, match="required"):
        check_payload(replace(event, schema={"type": "object", "required": ["b"]}), {"a": 1})


def test_the_documents_are_what_the_types_declare_run_python_m_core_events_reference():
    assert ASYNCAPI.read_text(encoding="utf-8") == document()
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page)
    assert all(f"| `{name}` |" in page for name in event_types())


def test_the_document_has_each_public_event_and_no_other():
    messages = asyncapi()["components"]["messages"]
    assert set(messages) == set(public_types()) == {name for name, event in event_types().items() if event.public}
    assert "people.link_created" not in document()
    for name, message in messages.items():
        example = message["examples"][0]["payload"]
        jsonschema.validate(example, envelope_schema(type_of(name)))
        assert len(json.dumps(example)) < LARGEST_PAYLOAD
