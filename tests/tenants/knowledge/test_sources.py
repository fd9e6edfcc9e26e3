"""Sources: new documents are read, unchanged ones are not, vanished ones go, and a failure withdraws nothing."""

from __future__ import annotations

import errno
import json
import os
from datetime import timedelta
from uuid import uuid4

import pytest

from core.clock import now
from core.errors import Conflict, NotFound
from core.events import publish
from core.jobs.worker import drain
from core.plugins import instances
from core.plugins.instances import InstanceIn
from core.plugins.places import folders
from core.preferences import amend, group
from core.settings import get_settings
from core.web.etag import ANY_VERSION
from tenants.knowledge import fetching, sources
from tenants.knowledge.repository import SHARED
from tests.tenants.knowledge import files
from tests.vendors.files import FileServer

HOUR_AGO = timedelta(hours=1)
CALL = files.markdown("Call the patient after seven days.")


@pytest.fixture
def folder(library, tmp_path, monkeypatch):
    """The tenant's folder of the server."""
    settings = get_settings().model_copy(update={"import_folders": str(tmp_path)})
    monkeypatch.setattr(folders, "get_settings", lambda: settings)
    place = tmp_path / library.tenant.slug
    place.mkdir()
    return place


@pytest.fixture
def shared(library, tmp_path, monkeypatch):
    """The folder that the operator shares."""
    place = tmp_path / "shared"
    place.mkdir()
    settings = get_settings().model_copy(update={"knowledge_folder": str(place)})
    for module in (fetching, sources):
        monkeypatch.setattr(module, "get_settings", lambda: settings)
    return place


def add(library, plugin, settings):
    with library.session() as session:
        for row in instances.list_instances(session, "rag-source"):
            instances.remove_instance(session, row.id, ANY_VERSION, source="cli")
        draft = InstanceIn(f"{plugin} {uuid4().hex[:6]}", settings)
        return instances.add_instance(session, "rag-source", plugin, draft, source="cli").id


def write(folder, name, content, *, age=HOUR_AGO):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    moment = (now() - age).timestamp()
    os.utime(path, (moment, moment))
    return path


def fetch(library, source_id):
    with library.session() as session:
        sources.request_fetch(session, source_id, source="cli")
    drain(library.tenant)
    with library.session() as session:
        return sources.get_source(session, source_id)


def count_reads(monkeypatch):
    reads, take = [], folders.Folder.fetch

    def counted(self, entry, into, *, largest):
        reads.append(entry.name)
        take(self, entry, into, largest=largest)

    monkeypatch.setattr(folders.Folder, "fetch", counted)
    return reads


def test_the_documents_of_a_folder_are_found_and_unchanged_ones_are_not_read_again(library, folder, monkeypatch):
    source_id, reads = add(library, "folder", {"folder": str(folder)}), count_reads(monkeypatch)
    write(folder, "call.md", CALL)
    write(folder, "notes.xlsx", b"no document")

    state = fetch(library, source_id)
    fetch(library, source_id)

    assert reads == ["call.md"]
    assert (state.searchable, state.waiting, state.problem) == (1, 0, "")
    assert library.search("call patient") == ["Call the patient after seven days."]


def test_a_changed_document_is_a_new_version_and_a_touched_one_is_not(library, folder):
    source_id = add(library, "folder", {"folder": str(folder)})
    write(folder, "call.md", CALL)
    fetch(library, source_id)
    write(folder, "call.md", CALL, age=timedelta(minutes=30))
    fetch(library, source_id)
    assert library.states(source_id) == [("call.md", 1, "searchable", True)]

    write(folder, "call.md", files.markdown("Call after one day."))
    fetch(library, source_id)
    assert library.states(source_id) == [("call.md", 1, "searchable", False), ("call.md", 2, "searchable", True)]
    assert library.search("call") == ["Call after one day."]


def test_what_vanished_is_withdrawn_and_what_returns_is_found_again(library, folder):
    source_id = add(library, "folder", {"folder": str(folder)})
    path = write(folder, "call.md", CALL)
    write(folder, "other.md", files.markdown("Weigh the child."))
    fetch(library, source_id)
    path.unlink()
    fetch(library, source_id)
    assert library.search("call patient") == []
    assert library.search("weigh child") == ["Weigh the child."]

    write(folder, "call.md", CALL)
    fetch(library, source_id)
    assert library.search("call patient") == ["Call the patient after seven days."]


def test_an_empty_or_missing_folder_withdraws_nothing_and_counts_as_failed(library, folder):
    source_id = add(library, "folder", {"folder": str(folder)})
    path = write(folder, "call.md", CALL)
    fetch(library, source_id)
    path.unlink()
    assert fetch(library, source_id).problem == "nothing_listed"
    assert library.search("call patient") == ["Call the patient after seven days."]
    folder.rmdir()
    assert fetch(library, source_id).problem == "not_found"
    assert library.search("call patient") == ["Call the patient after seven days."]


def test_a_file_that_may_still_be_written_waits(library, folder):
    source_id = add(library, "folder", {"folder": str(folder)})
    write(folder, "call.md", CALL, age=timedelta(seconds=5))
    assert fetch(library, source_id).searchable == 0


def test_a_document_that_cannot_be_read_is_shown_and_not_fetched_again(library, folder, monkeypatch):
    source_id, reads = add(library, "folder", {"folder": str(folder)}), count_reads(monkeypatch)
    write(folder, "bad.pdf", b"\0\1")
    write(folder, "big.md", b"x" * 100)
    monkeypatch.setattr(fetching, "MOST_BYTES", 50)

    assert fetch(library, source_id).unreadable == 2
    fetch(library, source_id)

    assert sorted(reads) == ["bad.pdf", "big.md"]


def test_documents_of_addresses_are_fetched_and_read_again_only_after_a_change(library):
    with FileServer({"/call.md": CALL, "/gone.md": CALL}) as server:
        urls = [f"{server.url}/call.md", f"{server.url}/gone.md"]
        source_id = add(library, "https", {"urls": urls, "language": "en"})
        assert fetch(library, source_id).searchable == 2
        server.files["/call.md"] = files.markdown("Call after one day.")
        del server.files["/gone.md"]
        state = fetch(library, source_id)
    assert (state.searchable, state.problem) == (2, "not_found")
    assert [(version, current) for _, version, _, current in library.states(source_id)] == [
        (1, False),
        (2, True),
        (1, True),
    ]


def test_a_document_of_an_address_is_sent_again_only_after_a_change(library):
    with FileServer({"/call.md": CALL}) as server:
        index = [{"url": f"{server.url}/call.md", "title": "Calls"}]
        server.files["/list.json"] = json.dumps(index).encode()
        source_id = add(library, "https", {"index": f"{server.url}/list.json"})
        fetch(library, source_id)
        for change in ("none", "content", "title"):
            if change == "content":
                server.files["/call.md"] = files.markdown("Call after one day.")
            if change == "title":
                index[0]["title"] = "Calls to patients"
                server.files["/list.json"] = json.dumps(index).encode()
            assert fetch(library, source_id).problem == ""
    changed = len(server.files["/call.md"])
    assert [size for path, size in server.sizes if path == "/call.md"] == [len(CALL), 0, changed, changed]
    assert [(version, current) for _, version, _, current in library.states(source_id)] == [
        (1, False),
        (2, False),
        (3, True),
    ]


def test_documents_of_a_source_that_was_removed_are_withdrawn_at_night(library, folder):
    source_id = add(library, "folder", {"folder": str(folder)})
    write(folder, "call.md", CALL)
    fetch(library, source_id)
    with library.session() as session:
        instances.remove_instance(session, source_id, ANY_VERSION, source="cli")
        sources.enqueue_night(session, now())
    assert library.search("call patient") == []


def test_the_night_fetches_every_source_that_can_be_used(library, folder):
    source_id = add(library, "folder", {"folder": str(folder)})
    write(folder, "call.md", CALL)
    with library.session() as session:
        sources.enqueue_night(session, now())
    drain(library.tenant)
    assert library.states(source_id) == [("call.md", 1, "searchable", True)]


def test_a_source_that_is_disabled_or_unknown_is_not_fetched(library, folder):
    source_id = add(library, "folder", {"folder": str(folder)})
    with library.session() as session:
        instances.get_instance(session, source_id).enabled = False
    with library.session() as session, pytest.raises(Conflict):
        sources.request_fetch(session, source_id, source="cli")
    with library.session() as session, pytest.raises(NotFound):
        sources.request_fetch(session, uuid4(), source="cli")


def test_shared_documents_are_each_tenants_own_copy_until_it_declines_them(library, shared, make_tenant):
    write(shared, "call.md", CALL)
    write(shared / "fr", "appel.md", files.markdown("Appeler le patient.", title="Retour"))
    (shared / "en").symlink_to(shared / "fr")
    state = fetch(library, SHARED)
    assert (state.searchable, state.name) == (2, "shared")
    assert library.search("seven days") == ["Call the patient after seven days."]

    other = type(library)(make_tenant().ref)
    assert other.search("seven days") == []

    with library.session() as session:
        amend(session, group("knowledge"), {"shared": False})
    drain(library.tenant)
    assert library.search("seven days") == []
    with library.session() as session:
        amend(session, group("knowledge"), {"shared": None})


def test_a_shared_folder_that_is_not_there_withdraws_nothing(library, shared):
    path = write(shared, "call.md", CALL)
    fetch(library, SHARED)
    path.unlink()
    shared.rmdir()
    fetch(library, SHARED)
    assert library.search("call patient") == ["Call the patient after seven days."]


def test_a_folder_of_a_language_that_cannot_be_opened_for_now_withdraws_nothing(library, shared, monkeypatch):
    write(shared, "call.md", CALL)
    write(shared / "fr", "appel.md", files.markdown("Appeler le patient.", title="Retour"))
    assert fetch(library, SHARED).searchable == 2
    opened = os.open

    def failing(path, *arguments, **options):
        if path == "fr":
            raise OSError(errno.EIO, "the disk does not answer")
        return opened(path, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", failing)
        assert fetch(library, SHARED).searchable == 2


def test_what_waited_in_an_archive_is_read_where_it_is_restored(library):
    document_id = library.add(CALL)
    with library.session() as session:
        session.cursor().execute("UPDATE knowledge_documents SET state = 'waiting'")
    with library.session() as session:
        publish(session, "tenant.restored", {})
    drain(library.tenant)
    assert library.row(document_id).state == "searchable"
