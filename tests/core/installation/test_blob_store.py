"""Two processes that share a database share the store of files too, or the second one is rejected."""

import base64
from pathlib import Path
from threading import Barrier, Thread

import pytest
from sqlalchemy import text

from core import blobs
from core.blobs import store
from core.cli.main import run as iit
from core.database import owner_session
from core.errors import NotFound
from core.installation.blob_store import BlobStoreForeign, compare
from core.settings import get_settings, master_key


@pytest.fixture
def shared(module_tenant):
    """A file that the installation keeps in its store."""
    return blobs.put(module_tenant, "upload.csv", b"content")


@pytest.fixture
def elsewhere(shared, settings_of, tmp_path):
    """This process as on another machine: the same database, and a folder of its own for files."""
    settings_of(blob_url=tmp_path.as_uri())
    return tmp_path


def test_the_store_that_is_used_first_carries_the_mark(shared):
    mark = Path(get_settings().state_dir, "blobs", store.MARK)
    assert mark.read_text() == f"{blobs.read_mark()}\n"
    blobs.require_shared_store(fresh=True)


def test_a_process_with_a_store_of_its_own_stores_nothing_there(elsewhere, module_tenant):
    with pytest.raises(BlobStoreForeign) as error:
        blobs.put(module_tenant, "a", b"1")
    assert "IIT_BLOB_URL" in error.value.remedy
    assert list(elsewhere.rglob("*")) == []


def test_what_is_not_in_a_foreign_store_is_told_as_the_stores_fault(elsewhere, module_tenant, shared):
    with pytest.raises(BlobStoreForeign):
        blobs.get(module_tenant, shared.key)


def test_what_is_not_in_the_installations_store_is_not_found(module_tenant, shared):
    blobs.delete(module_tenant, shared.key)
    with pytest.raises(NotFound):
        blobs.get(module_tenant, shared.key)


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["worker"], ["services", "blobs"]])
def test_api_and_worker_do_not_start_with_a_store_of_their_own(elsewhere, capsys, command):
    assert iit(command) == 1
    error_text = capsys.readouterr().err
    assert "keeps files in another place" in error_text
    assert "IIT_BLOB_URL" in error_text


def test_a_worker_on_another_machine_without_a_shared_store_does_not_start(
    shared, services, settings_of, tmp_path, capsys
):
    key = base64.b64encode(master_key()).decode()
    settings_of(
        database_url=services.database_url, redis_url=services.redis_url, master_key=key, state_dir=tmp_path / "second"
    )
    assert iit(["worker"]) == 1
    assert "keeps files in another place" in capsys.readouterr().err


def test_a_store_that_files_were_moved_to_can_be_adopted(own_services, settings_of, tmp_path, capsys):
    blobs.require_shared_store(fresh=True)
    settings_of(blob_url=tmp_path.as_uri())
    assert iit(["services", "blobs"]) == 1
    assert iit(["services", "blobs", "--adopt", "--json"]) == 0
    assert iit(["services", "blobs"]) == 0
    settings_of(blob_url="")
    assert iit(["services", "blobs"]) == 1


@pytest.mark.parametrize("same", [True, False])
def test_of_two_processes_that_come_first_at_once_both_share_one_store_or_one_is_rejected(own_services, same):
    with owner_session() as session:
        session.execute(text("DELETE FROM platform.blob_store"))
    one, together, outcomes = {}, Barrier(2), []
    stores = [one, one if same else {}]

    def come(marks):
        together.wait()
        try:
            compare(lambda: marks.get("mark"), lambda mark: marks.update(mark=mark))
            outcomes.append("shared")
        except BlobStoreForeign:
            outcomes.append("refused")

    threads = [Thread(target=come, args=(marks,)) for marks in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == (["shared", "shared"] if same else ["refused", "shared"])
    assert len([marks for marks in ([one] if same else stores) if marks]) == 1
