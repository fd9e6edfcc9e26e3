"""A document is searchable at once as a whole, its former version until then; what cannot be read harms no other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlmodel import select

from core import blobs
from core.clock import now, today
from core.errors import Conflict, Invalid, NotFound
from core.events.catalogue import check_payload, type_of
from core.jobs.worker import drain
from tenants.knowledge import ingestion, repository, service
from tenants.knowledge.models import KnowledgePassage
from tenants.knowledge.reading.documents import MOST_BYTES
from tests.ledger import uses_after, wait_for_older_transactions
from tests.tenants.knowledge import files

OLD = files.markdown("Call the patient after seven days.")
NEW = files.markdown("Call the patient after three days.")


def test_a_document_waits_until_it_is_read_and_is_then_found(library):
    document_id = library.add(OLD)
    waiting = library.row(document_id)
    assert (waiting.state, waiting.title, waiting.language) == ("waiting", "", "")
    assert library.search("Who calls the patient?") == []

    drain(library.tenant)

    row = library.row(document_id)
    assert (row.state, row.title, row.language, row.passages) == ("searchable", "Return to care", "en", 1)
    assert (row.media_type, row.models) == ("text/markdown", ["e5"])
    assert library.search("Who calls the patient?") == ["Call the patient after seven days."]


def test_the_former_version_answers_until_the_next_one_can(library):
    first = library.read(OLD)
    second = library.add(NEW)
    assert library.search("call patient") == ["Call the patient after seven days."]

    drain(library.tenant)

    assert library.search("call patient") == ["Call the patient after three days."]
    assert library.row(second).version == 2
    assert library.row(first).superseded_at is not None


def test_a_version_that_cannot_be_read_leaves_the_former_one(library):
    library.read(OLD)
    broken = library.row(library.read(b"\0\1\2"))
    assert (broken.state, broken.failure, broken.version) == ("unreadable", "other_kind", 2)
    assert library.search("call patient") == ["Call the patient after seven days."]
    again = library.row(library.read(b"\0\1\2\3"))
    assert (again.superseded_at, library.row(broken.uuid).superseded_at is None) == (None, False)
    library.read(NEW)
    assert library.search("call patient") == ["Call the patient after three days."]


def test_a_version_that_applies_later_supersedes_on_its_first_day(library):
    day = today(library.tenant.time_zone)
    first = library.read(OLD)
    second = library.read(NEW, valid_from=day + timedelta(days=3))
    assert library.search("call patient") == ["Call the patient after seven days."]
    assert library.row(first).valid_until == day + timedelta(days=3)
    assert library.row(second).superseded_at is None

    third = library.read(files.markdown("Call the patient after one day."))
    assert library.search("call patient") == ["Call the patient after one day."]
    assert library.row(first).valid_until is None
    assert library.row(third).version == 3


def test_an_earlier_version_that_is_read_later_supersedes_nothing(library):
    first, second = library.add(OLD), library.add(NEW)
    with library.session() as session:
        ingestion.fail(session, first, "given_up")
    drain(library.tenant)
    with library.session() as session:
        row = repository.find(session, first)
        row.state, row.failure = "waiting", None
        session.add(row)
        row_later = repository.find(session, second)
        assert row_later.state == "searchable"
        service.enqueue_reading(session, first)
    drain(library.tenant)

    assert library.search("call patient") == ["Call the patient after three days."]
    assert library.row(first).superseded_at is not None
    assert library.row(second).superseded_at is None


def test_the_same_file_is_no_new_version_and_is_not_read_again(library):
    first = library.read(OLD)
    assert library.read(OLD) == first
    assert library.read(OLD, title="Another title") != first
    assert library.search("another title") == ["Call the patient after seven days."]


def test_documents_of_two_names_answer_side_by_side(library):
    library.read(OLD)
    library.read(NEW, "other.md")
    assert len(library.search("call patient")) == 2


def test_a_question_of_another_tenant_finds_nothing(library, make_tenant):
    library.read(OLD)
    other = type(library)(make_tenant().ref)
    assert other.search("call patient") == []
    with other.session() as session, pytest.raises(NotFound):
        service.get(session, library.row(library.read(OLD)).uuid)


def test_given_facts_count_more_than_what_the_document_says(library):
    row = library.row(library.read(OLD, title="Our guide", language="fr", url="https://example.org/g"))
    assert (row.title, row.language, row.url) == ("Our guide", "fr", "https://example.org/g")


@pytest.mark.parametrize(
    ("facts", "field"),
    [({"language": "English"}, "language"), ({"url": "ftp://x"}, "url"), ({"title": "x" * 301}, "title")],
)
def test_facts_that_are_not_valid_are_rejected(library, facts, field):
    with pytest.raises(Invalid) as error:
        library.add(OLD, **facts)
    assert [each.field for each in error.value.errors] == [field]


@pytest.mark.parametrize("size", [0, MOST_BYTES + 1])
def test_a_file_that_is_empty_or_too_large_is_rejected_before_it_is_stored(library, size):
    before = blobs.permanent_keys(library.tenant)
    with pytest.raises(Invalid):
        library.add(b"x" * size)
    assert blobs.permanent_keys(library.tenant) == before


def test_a_worker_that_dies_in_the_middle_leaves_the_former_version_and_the_next_try_ends_it(library, monkeypatch):
    library.read(OLD)
    document_id = library.add(NEW)
    store, deaths = ingestion.indexing.store, []

    def dying(session, document, embedded):
        store(session, document, embedded)
        if not deaths:
            deaths.append(document.uuid)
            detail = "the worker died"
            raise RuntimeError(detail)

    monkeypatch.setattr(ingestion.indexing, "store", dying)
    drain(library.tenant)
    assert deaths == [document_id]
    assert library.row(document_id).state == "waiting"
    assert library.search("call patient") == ["Call the patient after seven days."]

    with library.session() as session:
        service.enqueue_reading(session, document_id)
    drain(library.tenant)
    assert library.search("call patient") == ["Call the patient after three days."]
    assert library.models() == {"e5": 2}


def test_pages_are_metered_one_time(library):
    before = _pages(library)
    library.read(files.pdf(["One", "Weigh the child."], ["Two", "Weigh the child again."]), "a.pdf")
    library.read(files.markdown(" ".join(["word"] * 1_001)), "b.md")
    assert _pages(library) - before == 2 + 3


def _pages(library):
    wait_for_older_transactions(library.tenant.database)
    uses = uses_after(database=library.tenant.database)
    return sum(use.value for use in uses if use.tenant_id == library.tenant.id and use.meter == "knowledge_pages")


def test_what_becomes_of_a_document_is_published(library, monkeypatch):
    changes = []

    def publish(_session, event, *, subject, payload):
        assert event == "knowledge.changed"
        check_payload(type_of(event), payload)
        changes.append((subject, payload["change"]))

    monkeypatch.setattr(service, "publish_after_commit", publish)
    good, bad = library.read(OLD, "good.md"), library.read(b"\0", "bad.md")
    with library.session() as session:
        service.forget(session, good, source="cli")
    assert changes == [(str(good), "searchable"), (str(bad), "unreadable"), (str(good), "forgotten")]


def test_a_forgotten_document_is_gone_with_its_versions_passages_and_files(library):
    first, second = library.read(OLD), library.read(NEW)
    keys = {library.row(first).blob_key, library.row(second).blob_key}
    assert keys <= set(blobs.permanent_keys(library.tenant))

    with library.session() as session:
        service.forget(session, second, source="cli")
    drain(library.tenant)

    assert library.search("call patient") == []
    assert not keys & set(blobs.permanent_keys(library.tenant))
    with library.session() as session:
        assert session.exec(select(KnowledgePassage)).all() == []
    with pytest.raises(NotFound):
        library.row(first)


def test_a_document_that_a_source_still_has_is_not_forgotten(library):
    document_id = library.read(OLD, source_id=repository.SHARED)
    with library.session() as session, pytest.raises(Conflict):
        service.forget(session, document_id, source="cli")


def test_retention_deletes_old_versions_with_their_files_and_no_current_one(library):
    first, second = library.read(OLD), library.read(NEW)
    old_key = library.row(first).blob_key
    with library.session() as session:
        assert service.delete_superseded(session, now() + timedelta(days=1)) == 1
        assert service.delete_superseded(session, now() + timedelta(days=1)) == 0
    drain(library.tenant)
    assert old_key not in blobs.permanent_keys(library.tenant)
    assert library.row(second).state == "searchable"
    with pytest.raises(NotFound):
        library.row(first)


def test_a_file_that_is_no_longer_stored_is_unreadable(library):
    document_id = library.add(OLD)
    blobs.delete(library.tenant, library.row(document_id).blob_key)
    drain(library.tenant)
    assert library.row(document_id).failure == "gone"
