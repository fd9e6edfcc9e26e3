"""Records that come by themselves: what is fetched, imported once, rejected, tried again, and signalled."""

from __future__ import annotations

import os
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlmodel import select

from core.clock import now
from core.database import tenant_session
from core.errors import Conflict, Invalid, NotFound
from core.jobs.worker import drain
from core.plugins import instances
from core.plugins.errors import PluginBusy
from core.plugins.instances import InstanceIn
from core.plugins.places import PlaceError, folders
from core.settings import get_settings
from tenants.alerts.findings import without_data
from tenants.alerts.models import Alert
from tenants.alerts.rules import get_rule
from tenants.alerts.signals import apply_signals
from tenants.alerts.words import title_of
from tenants.imports import uploads
from tenants.imports.fetching import jobs, repository, run, service
from tenants.imports.fetching.models import FetchedFile, ImportSource
from tenants.imports.fetching.schemas import FetchedFileOut
from tenants.imports.models import Import
from tests.vendors.buckets import Bucket
from tests.vendors.files import FileServer
from tests.vendors.sftp import SftpServer

MAPPING = """
data_date: 2024-06-30
files: {t: {name: "*.csv"}}
facility: {datim_id: {constant: C1}}
records: [{into: patients, file: t, patient: id, columns: {pepfar_id: id}}]
"""
ACTOR = "test:1"
HOUR_AGO = timedelta(hours=1)


@pytest.fixture
def folder(module_tenant, tmp_path, monkeypatch):
    settings = get_settings().model_copy(update={"import_folders": str(tmp_path)})
    monkeypatch.setattr(folders, "get_settings", lambda: settings)
    folder = tmp_path / module_tenant.slug
    folder.mkdir()
    return folder


@pytest.fixture
def tenant(module_tenant):
    with tenant_session(module_tenant, actor=ACTOR) as session:
        for row in instances.list_instances(session):
            session.delete(row)
    return module_tenant


def add(tenant, plugin, settings, *, mapping=MAPPING):
    with tenant_session(tenant, actor=ACTOR) as session:
        draft = InstanceIn(f"{plugin} {uuid4().hex[:6]}", settings)
        source_id = instances.add_instance(session, "importer", plugin, draft, source="cli").id
        service.change_source(session, source_id, service.Terms(mapping=mapping), source="cli")
        return source_id


def write(folder, name, content=None, *, age=HOUR_AGO):
    path = folder / name
    path.write_bytes(f"id\n{uuid4().hex}\n".encode() if content is None else content)
    moment = (now() - age).timestamp()
    os.utime(path, (moment, moment))
    return path


def fetch(tenant, source_id, **how):
    with tenant_session(tenant, actor=ACTOR) as session:
        service.request_fetch(session, source_id, source="cli", **how)
    drain(tenant)
    with tenant_session(tenant, actor=ACTOR) as session:
        return service.get_source(session, source_id)


def files(tenant, source_id):
    with tenant_session(tenant, actor=ACTOR) as session:
        rows = session.exec(select(FetchedFile).where(FetchedFile.instance_id == source_id)).all()
        states = repository.file_states(session, rows)
        return {row.name: FetchedFileOut.of(row, states[row.id]) for row in rows}


def imports(tenant):
    with tenant_session(tenant, actor=ACTOR) as session:
        return len(session.exec(select(Import)).all())


def test_a_new_file_of_a_folder_is_imported_one_time(tenant, folder):
    source_id, before = add(tenant, "folder", {"folder": str(folder)}), imports(tenant)
    write(folder, "a.csv")
    state = fetch(tenant, source_id)
    again = fetch(tenant, source_id)
    assert (state.outcome, state.files_seen, state.files_fetched) == ("done", 1, 1)
    assert (again.outcome, again.files_seen, again.files_fetched) == ("done", 1, 0)
    assert {name: file.state for name, file in files(tenant, source_id).items()} == {"a.csv": "imported"}
    assert imports(tenant) == before + 1


def test_a_changed_file_is_imported_and_a_touched_one_is_not(tenant, folder):
    source_id, before = add(tenant, "folder", {"folder": str(folder)}), imports(tenant)
    content = write(folder, "a.csv").read_bytes()
    fetch(tenant, source_id)
    write(folder, "a.csv", content, age=timedelta(minutes=30))
    assert fetch(tenant, source_id).files_fetched == 0
    write(folder, "a.csv")
    assert fetch(tenant, source_id).files_fetched == 1
    assert imports(tenant) == before + 2


def test_a_file_that_may_still_be_written_waits(tenant, folder):
    source_id = add(tenant, "folder", {"folder": str(folder)})
    write(folder, "a.csv", age=timedelta(seconds=5))

    state = fetch(tenant, source_id)

    assert (state.files_fetched, state.files_waiting) == (0, 1)
    assert state.next_run - now() <= timedelta(minutes=2)


def test_a_rejected_file_is_shown_and_fetched_again_only_after_a_change(tenant, folder):
    source_id, before = add(tenant, "folder", {"folder": str(folder)}), imports(tenant)
    write(folder, "a.csv", b"\x00\x01 garbage")
    write(folder, "b.csv")

    state = fetch(tenant, source_id)
    bad = files(tenant, source_id)["a.csv"]
    assert (state.outcome, state.files_fetched) == ("done", 2)
    assert (bad.state, files(tenant, source_id)["b.csv"].state) == ("rejected", "imported")
    assert bad.problem
    assert fetch(tenant, source_id).files_rejected == 1
    assert imports(tenant) == before + 2

    fetch(tenant, source_id, again=True)
    assert imports(tenant) == before + 3
    with tenant_session(tenant, actor=ACTOR) as session:
        service.change_source(session, source_id, service.Terms(mapping=MAPPING, dates="day-first"), source="cli")
    fetch(tenant, source_id)
    assert imports(tenant) == before + 4
    write(folder, "a.csv", age=timedelta(minutes=20))
    fetch(tenant, source_id)
    assert files(tenant, source_id)["a.csv"].state == "imported"


def test_a_file_that_is_too_large_and_an_unknown_format_are_rejected(tenant, folder, monkeypatch):
    monkeypatch.setattr(run, "upload_limit", lambda: 10)
    source_id = add(tenant, "folder", {"folder": str(folder), "format": "no-such-format"})
    write(folder, "big.csv", b"x" * 11)
    write(folder, "small.csv", b"x")

    state = fetch(tenant, source_id)

    assert (state.outcome, state.files_fetched, state.files_rejected) == ("done", 0, 2)
    by_name = files(tenant, source_id)
    assert by_name["big.csv"].problem == "the file is larger than an upload may be"
    assert "no such import format" in by_name["small.csv"].problem


def test_many_files_are_taken_in_several_fetches(tenant, folder, monkeypatch):
    monkeypatch.setattr(run, "MOST_AT_ONCE", 2)
    source_id = add(tenant, "folder", {"folder": str(folder)})
    for number in range(3):
        write(folder, f"{number}.csv")

    fetch(tenant, source_id)

    assert [file.state for file in files(tenant, source_id).values()] == ["imported"] * 3


@pytest.mark.parametrize("point", ["before", "after"])
def test_a_worker_that_dies_about_the_import_imports_each_file_one_time(tenant, folder, monkeypatch, point):
    """Death before the commit of a file: the next try fetches it. Death after: the next try knows it."""
    source_id, before = add(tenant, "folder", {"folder": str(folder)}), imports(tenant)
    for name in ("a.csv", "b.csv"):
        write(folder, name)
    submit, deaths = run._Round._submit, []

    def dying(self, entry, order):
        surplus = None if point == "before" and not deaths else submit(self, entry, order)
        if not deaths:
            deaths.append(entry.name)
            detail = "the worker died"
            raise RuntimeError(detail)
        return surplus

    monkeypatch.setattr(run._Round, "_submit", dying)
    fetch(tenant, source_id)
    fetch(tenant, source_id)

    assert deaths == ["a.csv"]
    assert imports(tenant) == before + 2
    assert {file.state for file in files(tenant, source_id).values()} == {"imported"}


def test_files_by_https_are_fetched_with_their_credentials(tenant):
    with FileServer({"/a.csv": b"id\nh1\n", "/b.txt": b"no"}, token="read-only-token") as server:
        settings = {"url": f"{server.url}/index.json", "listing": "json", "pattern": "*.csv", "token": server.token}
        source_id = add(tenant, "https", settings)
        assert fetch(tenant, source_id).files_fetched == 1
        assert fetch(tenant, source_id).files_fetched == 0
        server.files["/a.csv"] = b"id\nh1\nh2\n"
        assert fetch(tenant, source_id).files_fetched == 1
        server.token = "another-token"
        state = fetch(tenant, source_id)
    assert (state.outcome, state.problem, state.failures) == ("failed", "access_denied", 1)
    assert [file.state for file in files(tenant, source_id).values()] == ["imported"]


def test_a_file_that_is_not_sent_as_a_whole_is_not_imported(tenant):
    with FileServer({"/a.csv": b"id\nh3\n"}) as server:
        source_id, before = (
            add(tenant, "https", {"url": f"{server.url}/index.json", "listing": "json"}),
            imports(tenant),
        )
        server.fail(200, [{"url": "/a.csv", "size": 999}])
        state = fetch(tenant, source_id)
        assert (state.problem, state.files_waiting, imports(tenant)) == ("changed", 1, before)
        assert fetch(tenant, source_id).files_fetched == 1


def test_a_server_that_names_a_time_is_asked_for_nothing_before_it(tenant, monkeypatch):
    with FileServer({}) as server:
        source_id = add(tenant, "https", {"url": f"{server.url}/index.json", "listing": "json"})
        server.fail(200, [{"url": f"/{name}.csv"} for name in "abcd"])
        asked = []

        def busy(_opened, request, _into, **_):
            asked.append(request.url)
            raise PlaceError("rate_limited", timedelta(hours=3))

        monkeypatch.setattr(run.places, "fetch_request", busy)
        state = fetch(tenant, source_id)
    assert (state.problem, state.files_waiting, len(asked)) == ("rate_limited", 4, 1)
    assert state.next_run >= state.ended_at + timedelta(hours=3)


def test_a_name_that_is_too_long_is_rejected_one_time(tenant, folder, monkeypatch):
    monkeypatch.setattr(run, "LONGEST_NAME", 30)
    source_id = add(tenant, "folder", {"folder": str(folder)})
    for end in "ab":
        write(folder, f"{'x' * 40}{end}.csv")
    assert (fetch(tenant, source_id).files_rejected, len(files(tenant, source_id))) == (2, 2)
    before = {name: file.fetched_at for name, file in files(tenant, source_id).items()}
    fetch(tenant, source_id)
    assert {name: file.fetched_at for name, file in files(tenant, source_id).items()} == before
    assert {len(name) for name in before} == {30}


def test_files_of_a_bucket_are_imported(tenant):
    with Bucket({"daily/a.csv": b"id\ns1\n"}) as bucket:
        source_id = add(tenant, "s3", bucket.settings)
        assert fetch(tenant, source_id).files_fetched == 1
        bucket.files["daily/b.csv"] = b"id\ns2\n"
        assert fetch(tenant, source_id).files_fetched == 1
        bucket.secret = "another"
        assert fetch(tenant, source_id).problem == "access_denied"


def test_files_of_an_sftp_server_are_imported(tenant, tmp_path):
    with SftpServer(tmp_path) as server:
        source_id = add(tenant, "sftp", server.settings)
        write(tmp_path, "a.csv")
        assert fetch(tenant, source_id).files_fetched == 1
        assert fetch(tenant, source_id).files_fetched == 0


def alerts(tenant):
    with tenant_session(tenant, actor=ACTOR) as session:
        rows = session.exec(select(Alert).where(Alert.alert_type == "plugin_failing")).all()
        return [(row.subject, row.status) for row in rows]


def test_a_source_that_fails_again_and_again_raises_an_alert_that_ends_with_its_cause(tenant):
    with FileServer({"/a.csv": b"id\nf1\n"}) as server:
        source_id = add(tenant, "https", {"url": f"{server.url}/a.csv"})
        server.fail(500, times=3)
        states = [fetch(tenant, source_id) for _ in range(3)]
        assert [state.failures for state in states] == [1, 2, 3]
        assert all(state.next_run <= now() + timedelta(minutes=20) for state in states)
        assert alerts(tenant)[-1] == (f"{states[0].name} (https, importer)", "open")
        assert fetch(tenant, source_id).failures == 0
        assert alerts(tenant)[-1] == (f"{states[0].name} (https, importer)", "resolved")
    with tenant_session(tenant, actor=ACTOR) as session:
        assert [row.reason for row in instances.list_failures(session, source_id)] == ["bad_answer"] * 3


@pytest.mark.parametrize("error", [PlaceError("no_space"), PlaceError("paused"), PluginBusy("busy")], ids=str)
def test_what_the_platform_lacks_is_no_failure_of_the_importer(tenant, folder, monkeypatch, error):
    def raising(*_):
        raise error

    source_id = add(tenant, "folder", {"folder": str(folder)})
    monkeypatch.setattr(run.places, "open_place", raising)
    assert fetch(tenant, source_id).problem in {"no_space", "paused"}
    with tenant_session(tenant, actor=ACTOR) as session:
        assert instances.get_instance(session, source_id).consecutive_failures == 0


def test_a_source_without_a_new_file_for_too_long_raises_an_alert_that_ends_with_one(tenant, folder):
    source_id = add(tenant, "folder", {"folder": str(folder)})
    fetch(tenant, source_id)
    with tenant_session(tenant, actor=ACTOR) as session, session.cursor() as cursor:
        cursor.execute("UPDATE import_sources SET created_at = created_at - interval '15 days'")
        rule, day = get_rule(session, "no_data"), now().date()
        (signal,) = [one for one in without_data(session, rule, day) if one.facts.get("source")]
        assert signal.subject == f"source:{source_id}"
        apply_signals(session, rule, [signal], whole=True)
        service.request_fetch(session, source_id, source="cli")
        assert signal.key("no_data") in {one.key("no_data") for one in without_data(session, rule, day)}
        (alert,) = session.exec(select(Alert).where(Alert.subject == signal.subject)).all()
        assert title_of(alert, "") == f"No new file comes from {signal.facts['source']}"
    write(folder, "a.csv")
    drain(tenant)
    with tenant_session(tenant, actor=ACTOR) as session:
        assert [one for one in without_data(session, rule, day) if one.facts.get("source")] == []


def test_a_schedule_asks_for_a_fetch_when_it_is_due_and_not_while_it_is_paused(tenant, folder):
    source_id = add(tenant, "folder", {"folder": str(folder)})
    write(folder, "a.csv")
    assert jobs.request_due(tenant) == 0

    def due(**changes):
        with tenant_session(tenant, actor=ACTOR) as session:
            row = session.get(ImportSource, source_id)
            row.next_run = now() - HOUR_AGO
            for name, value in changes.items():
                setattr(row, name, value)
            session.add(row)

    due(active=False)
    assert jobs.request_due(tenant) == 0
    due(active=True)
    assert jobs.request_due(tenant) == 1
    assert jobs.request_due(tenant) == 0
    drain(tenant)
    with tenant_session(tenant, actor=ACTOR) as session:
        state = service.get_source(session, source_id)
        assert (state.outcome, state.files_fetched, state.next_run > now()) == ("done", 1, True)
        instances.set_enabled(session, source_id, enabled=False, source="cli")
    due()
    assert jobs.request_due(tenant) == 0
    with tenant_session(tenant, actor=ACTOR) as session, pytest.raises(Conflict, match="cannot be used"):
        service.request_fetch(session, source_id, source="cli")


def test_an_importer_that_nobody_scheduled_is_fetched_nightly(tenant, folder):
    with tenant_session(tenant, actor=ACTOR) as session:
        draft = InstanceIn("New", {"folder": str(folder)})
        source_id = instances.add_instance(session, "importer", "folder", draft, source="cli").id
        shown = service.get_source(session, source_id)
    jobs.request_due(tenant)
    with tenant_session(tenant, actor=ACTOR) as session:
        state = service.get_source(session, source_id)
        assert state.next_run == shown.next_run
        assert (state.terms.cron, state.terms.active, state.is_fetching) == ("30 0 * * *", True, False)


@pytest.mark.parametrize(
    "terms", [service.Terms(cron="every day"), service.Terms(mapping="a: ["), service.Terms(mapping="x" * 70_000)]
)
def test_terms_that_are_not_valid_are_rejected(tenant, folder, terms):
    source_id = add(tenant, "folder", {"folder": str(folder)})
    with tenant_session(tenant, actor=ACTOR) as session, pytest.raises(Invalid):
        service.change_source(session, source_id, terms, source="cli")


def test_an_importer_that_is_removed_meanwhile_imports_nothing_more(tenant, folder, monkeypatch):
    source_id, before = add(tenant, "folder", {"folder": str(folder)}), imports(tenant)
    write(folder, "a.csv")
    store = uploads.store

    def removing(*arguments):
        with tenant_session(tenant, actor=ACTOR) as session:
            session.delete(instances.get_instance(session, source_id))
        return store(*arguments)

    monkeypatch.setattr(uploads, "store", removing)
    with pytest.raises(NotFound):
        fetch(tenant, source_id)
    assert imports(tenant) == before


def test_what_no_source_lists_any_more_is_forgotten(tenant, folder):
    source_id = add(tenant, "folder", {"folder": str(folder)})
    write(folder, "a.csv")
    fetch(tenant, source_id)
    with tenant_session(tenant, actor=ACTOR) as session:
        assert repository.forget_unseen(session, now() - timedelta(days=2)) == 0
        assert repository.forget_unseen(session, now() + timedelta(days=2)) == 1
