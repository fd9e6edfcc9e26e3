"""A tenant of the embedded server goes back to any moment since a base backup, exactly, and no other tenant notices."""

from datetime import UTC, datetime, timedelta

import pytest

from core.database import dispose, owner_connection, tenant_session
from core.database.upgrade import migrate
from core.errors import Invalid
from core.services import backups
from core.services.manager import add_database
from core.tenancy import create_tenant, get_tenant
from core.tenancy.backup import service
from core.tenancy.move.service import move
from tests.core.tenancy.backup.test_restore import digest_of, settings
from tests.core.tenancy.move.conftest import put


def moment(ref):
    """What time it is for the database, once all that was committed is before it."""
    with owner_connection(ref.database) as connection:
        return connection.execute("SELECT clock_timestamp()").fetchone()[0]


def fill(ref, *keys):
    with tenant_session(ref, actor="test:1") as session:
        for key in keys:
            put(session, key, {"key": key})


@pytest.fixture(scope="module")
def tenants(own_services):
    add_database("east")
    dispose()
    migrate()
    first, other, far = (
        create_tenant(slug, "Partner", database=where).ref
        for slug, where in (("first", "default"), ("other", "default"), ("far", "east"))
    )
    fill(first, "before the base")
    fill(far, "before the base")
    base, removed = backups.base_backup()
    assert removed == []
    assert base == backups.base_backups()[0]
    return first, other, far


def test_a_moment_before_the_first_base_backup_or_in_the_future_is_rejected(tenants):
    with pytest.raises(Invalid, match="no base backup reaches"):
        service.to_moment("first", datetime.now(UTC) - timedelta(days=1))
    with pytest.raises(Invalid, match="in the future"):
        service.to_moment("first", datetime.now(UTC) + timedelta(days=1))


def test_damage_is_undone_to_the_moment_and_others_are_not_touched(tenants):
    first, other, far = tenants
    fill(first, "wanted")
    wanted, then = digest_of(first), moment(first)
    fill(first, "after")
    with tenant_session(first, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("DELETE FROM tenant_settings WHERE key = 'wanted'")
    fill(other, "untouched")
    others = digest_of(other), digest_of(far)
    damaged = digest_of(first)
    back = service.to_moment("first", then)
    ref = get_tenant("first")
    assert digest_of(ref) == wanted != damaged
    assert set(settings(ref)) == {"before the base", "wanted"}
    assert (digest_of(other), digest_of(far)) == others
    assert get_tenant("other") == other
    undone = service.from_file("first", back.previous)
    assert digest_of(undone.restored.ref) == damaged


def test_a_tenant_comes_back_from_wherever_it_was_then(tenants):
    far = get_tenant("far")
    fill(far, "wanted")
    wanted, then = digest_of(far), moment(far)
    moved = move("far", "default").ref
    fill(moved, "after")
    service.to_moment("far", then)
    ref = get_tenant("far")
    assert ref.database == "default"
    assert digest_of(ref) == wanted


def test_old_base_backups_go_with_the_wal_that_only_they_need(tenants):
    (folder,) = (path for path in backups.backup_folder().iterdir() if path.name.isdigit())
    newest, removed = backups.base_backup(keep=1)
    assert len(removed) == 1
    assert [base.name for base in backups.base_backups()] == [newest.name]
    assert [path.name for path in (folder / "base").iterdir()] == [newest.name]
    assert all(file.name[8:24] >= newest.first_wal[8:] for file in (folder / "wal").iterdir() if len(file.name) < 30)
    assert not list((folder / "base").parent.glob(".*.pgpass")), "no password is left"
