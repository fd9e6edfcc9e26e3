"""Another model takes over when it has every passage, and not before; then the rows of the former one go."""

from __future__ import annotations

import pytest

from core.jobs.worker import drain
from core.preferences import amend, group
from tenants.knowledge import indexing, ingestion, reembedding, serving
from tests.tenants.knowledge import files

ONE, TWO = files.markdown("Call the patient."), files.markdown("Weigh the child.")


@pytest.fixture
def library(library):
    """A library whose model is e5, with two documents."""
    _choose(library, "e5")
    drain(library.tenant)
    library.read(ONE, "one.md")
    library.read(TWO, "two.md")
    return library


def _choose(library, model):
    with library.session() as session:
        amend(session, group("knowledge"), {"model": model})


def _serving(library):
    with library.session() as session:
        return serving.serving_model(session)


def test_a_change_of_the_setting_embeds_every_passage_and_then_switches(library):
    assert _serving(library) == "e5"
    ids = _ids(library)
    _choose(library, "minilm")
    assert _serving(library) == "e5"
    assert library.search("call patient") == ["Call the patient."]

    drain(library.tenant)

    assert _serving(library) == "minilm"
    assert library.models() == {"minilm": 2}
    assert library.search("call patient") == ["Call the patient."]
    assert _ids(library) == ids


def _ids(library):
    with library.session() as session:
        return sorted(row[0] for row in session.cursor().execute("SELECT DISTINCT node_id FROM data_passages"))


def test_half_way_the_former_model_answers_and_a_new_document_gets_both(library, monkeypatch):
    _choose(library, "minilm")
    add_model, stops = indexing.add_model, []

    def dying(session, document_id, model, vectors):
        add_model(session, document_id, model, vectors)
        stops.append(document_id)
        if len(stops) == 2:  # the first is stored, the second is not
            detail = "the worker died"
            raise RuntimeError(detail)

    monkeypatch.setattr(indexing, "add_model", dying)
    drain(library.tenant)
    assert _serving(library) == "e5"
    assert library.models() == {"e5": 2, "minilm": 1}

    library.read(files.markdown("Greet everybody."), "three.md")
    assert library.models() == {"e5": 3, "minilm": 2}
    assert _serving(library) == "e5"
    assert library.search("greet everybody") == ["Greet everybody."]

    with library.session() as session:
        reembedding.request_if_needed(session)
    drain(library.tenant)
    assert _serving(library) == "minilm"
    assert library.models() == {"minilm": 3}


def test_a_document_that_was_being_read_when_the_setting_changed_gets_the_new_model(library, monkeypatch):
    library.add(files.markdown("Greet everybody."), "three.md")
    read_apart, changed = ingestion.read_apart, []

    def changing(content):
        if not changed:
            changed.append(True)
            _choose(library, "minilm")
        return read_apart(content)

    monkeypatch.setattr(ingestion, "read_apart", changing)
    drain(library.tenant)
    drain(library.tenant)

    assert changed
    assert library.models() == {"minilm": 3}
    assert library.search("greet everybody") == ["Greet everybody."]


def test_nothing_is_enqueued_where_every_passage_has_the_wanted_model(library):
    with library.session() as session:
        assert reembedding.request_if_needed(session) is None
