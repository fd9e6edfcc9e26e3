"""What restores keep of a tenant goes with the tenant, and nobody else's does."""

import json

import pytest

from core.cli.main import run
from core.services import backups
from core.services.backups import BaseBackup
from core.tenancy import get_tenant
from core.tenancy.archive.deleting import delete_tenant
from core.tenancy.archive.purging import purge
from core.tenancy.backup import container, previous, service
from core.tenancy.backup.saving import backup


@pytest.fixture
def restored(two_tenants, tmp_path):
    """Two tenants that were each restored once: tenant, and the file of what it was before."""
    previous_names = []
    for tenant in two_tenants:
        file = tmp_path / f"{tenant.slug}.iitbackup"
        backup(tenant.slug, file)
        previous_names.append((tenant, service.from_file(tenant.slug, file).previous))
    return previous_names


def doom(tenant):
    delete_tenant(tenant.slug, confirm=tenant.slug, actor="test:1", grace_days=0)


def test_a_purge_removes_what_restores_kept_of_the_tenant_and_of_no_other(restored, tmp_path):
    (gone, its), (other, theirs) = restored
    half = its.with_name(f".{its.name}.cut{previous.ENDING}{container.DRAFT}")
    half.write_bytes(its.read_bytes()[:2000])
    strange = previous.folder() / f"{gone.slug}-strange{previous.ENDING}"
    strange.write_bytes(b"no backup")
    doom(gone)
    stone = purge(gone.slug, actor="test:1")
    assert not its.exists()
    assert not half.exists()
    assert stone.counts["before_restore_files"] == 2
    assert previous.files_of(gone.id) == []
    assert previous.files_of(other.id) == [theirs]
    assert strange.exists(), "what is not known to be the tenant's is nobody's to remove"
    assert (tmp_path / f"{gone.slug}.iitbackup").exists(), "files that were asked for are the operator's"
    assert get_tenant(other.slug).id == other.id


def test_two_restores_within_a_second_keep_two_files(tenant, tmp_path):
    file = tmp_path / "t.iitbackup"
    backup(tenant.slug, file)
    first = service.from_file(tenant.slug, file).previous
    second = service.from_file(tenant.slug, file).previous
    assert sorted([first, second]) == previous.files_of(tenant.id)


def test_a_purge_says_that_base_backups_still_hold_the_tenant(two_tenants, monkeypatch, capsys):
    one = BaseBackup("20260101T000000.000000Z", "2026-01-01T00:00:00+00:00", "2026-01-01T00:01:00+00:00", "0" * 24, 1)
    monkeypatch.setattr(backups, "base_backups", lambda: [one])
    for tenant in two_tenants:
        doom(tenant)
    assert run(["tenant", "purge", two_tenants[0].slug]) == 0
    assert "iit services backup --keep 1" in capsys.readouterr().err
    assert run(["tenant", "purge", two_tenants[1].slug, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["base_backups"] == [one.name]
