"""A tenant whose old observations are archived leaves and comes back with them, also when they move meanwhile."""

from __future__ import annotations

import json
import secrets

import pytest

from core import blobs
from core.cli.main import run
from core.database import tenant_session
from core.errors import Conflict
from core.tenancy import get_tenant
from core.tenancy.archive import sealing, writing
from core.tenancy.archive.comparing import contents_of
from core.tenancy.archive.deleting import delete_tenant
from core.tenancy.archive.purging import purge
from core.tenancy.archive.restoring import import_archive
from core.tenancy.archive.writing import export
from tenants.records.archiving import archive, archived, restore
from tests.tenants.cohort.conftest import Store
from tests.tenants.records.test_archiving import rows, seen

YEARS = range(2008, 2018)


@pytest.fixture
def store(make_tenant):
    return Store(make_tenant().ref)


@pytest.fixture
def keys(tmp_path):
    sealing.generate(tmp_path / "their.key", tmp_path / "their.pub")
    return tmp_path / "their.key", tmp_path / "their.pub"


def parts_of(tenant):
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        return archived(session)


def come_back(path, keys):
    return import_archive(path, keys[0], slug=f"back-{secrets.token_hex(4)}", actor="test:1").ref


def between(monkeypatch, act):
    """Let ``act`` happen after the export has listed the store, and before its snapshot."""
    begin = writing.snapshot

    def meddling(*args, **options):
        monkeypatch.setattr(writing, "snapshot", begin)
        act()
        return begin(*args, **options)

    monkeypatch.setattr(writing, "snapshot", meddling)


def test_years_that_are_archived_leave_and_come_back_exactly(store, keys, tmp_path):
    seen(store, YEARS)
    whole = rows(store.tenant)
    moved = archive(store.tenant, 2018, actor="test:1")
    parts, there = parts_of(store.tenant), contents_of(store.tenant)
    written = export(store.tenant.slug, tmp_path / "a.age", keys[1], actor="test:1")
    assert {blob.key for blob in written.manifest.blobs} == {part.key for part in parts}
    assert written.missing == []
    delete_tenant(store.tenant.slug, confirm=store.tenant.slug, actor="test:1", grace_days=0)
    purge(store.tenant.slug, actor="test:1")
    back = come_back(tmp_path / "a.age", keys)
    assert parts_of(back) == parts
    now = contents_of(back)
    assert {name: now[name] for name in now if not name.startswith("audit_")} == {
        name: there[name] for name in there if not name.startswith("audit_")
    }
    for year, count in moved.rows.items():
        assert restore(back, year, actor="test:1").rows == {year: count}
    assert rows(back) == whole


def test_a_year_that_is_archived_while_the_tenant_is_exported_is_in_the_archive(store, keys, tmp_path, monkeypatch):
    seen(store, YEARS)
    whole = rows(store.tenant)
    between(monkeypatch, lambda: archive(store.tenant, 2018, actor="test:1"))
    written = export(store.tenant.slug, tmp_path / "a.age", keys[1], actor="test:1")
    assert written.missing == []
    back = come_back(tmp_path / "a.age", keys)
    for part in parts_of(back):
        restore(back, part.year, actor="test:1")
    assert rows(back) == whole


def test_a_year_that_is_restored_while_the_tenant_is_exported_is_not_lost_in_silence(
    store, keys, tmp_path, monkeypatch
):
    seen(store, YEARS)
    archive(store.tenant, 2018, actor="test:1")
    restored = []

    def meanwhile(_rows, _total, table):
        if not restored:
            restored.append(table)
            restore(store.tenant, 2008, actor="test:1")

    with pytest.raises(Conflict, match="while it was exported"):
        export(store.tenant.slug, tmp_path / "a.age", keys[1], actor="test:1", progress=meanwhile)
    assert restored
    assert not (tmp_path / "a.age").exists()
    export(store.tenant.slug, tmp_path / "a.age", keys[1], actor="test:1")


def test_a_part_that_the_store_has_lost_is_named(store, keys, tmp_path):
    seen(store, YEARS)
    archive(store.tenant, 2018, actor="test:1")
    lost = parts_of(store.tenant)[0].key
    blobs.delete(store.tenant, lost)
    written = export(store.tenant.slug, tmp_path / "a.age", keys[1], actor="test:1")
    assert written.missing == [lost]
    assert any(lost in one.what for one in written.manifest.left_out)


def test_a_restore_names_the_years_that_were_archived_then_and_are_in_the_store_no_more(store, tmp_path, capsys):
    seen(store, YEARS)
    archive(store.tenant, 2018, actor="test:1")
    gone = next(part.key for part in parts_of(store.tenant) if part.year == 2008)
    file = str(tmp_path / "t.iitbackup")
    assert run(["tenant", "backup", store.tenant.slug, "--to", file]) == 0
    capsys.readouterr()
    assert run(["tenant", "restore", store.tenant.slug, file, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["missing"] == []
    restore(get_tenant(store.tenant.slug), 2008, actor="test:1")
    assert run(["tenant", "restore", store.tenant.slug, file, "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert report["missing"] == [gone]
    assert run(["tenant", "restore", store.tenant.slug, report["previous"]]) == 0, (
        "the rows are in what was there before"
    )
    assert 2008 not in {part.year for part in parts_of(get_tenant(store.tenant.slug))}
