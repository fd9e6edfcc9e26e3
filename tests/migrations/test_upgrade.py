"""``iit migrate`` brings every schema to head, skips those that are there, and goes on past one that fails.

On servers of its own: a fleet that is behind would be brought to head by any test that migrates.
"""

import json
import secrets
import shutil

import pytest
from sqlalchemy import event, text

from core.cli.main import run
from core.database import engines, owner_session, scripts, tenant_session, upgrade
from core.errors import Conflict, Unavailable
from core.tenancy import create_tenant, get_tenant, list_tenants

OURS = scripts.MIGRATIONS

HEAD = upgrade.head("tenant")
NEWER = f"{int(HEAD) + 1:04}"
SECOND = f'''"""A column more."""
from alembic import op

revision = "{NEWER}"
down_revision = "{HEAD}"


def upgrade() -> None:
    op.execute("ALTER TABLE tenant_settings ADD COLUMN note text")
'''


@pytest.fixture
def newer(own_services, tmp_path, monkeypatch):
    """The trees with one more migration for tenants, as after an update of the application."""
    shutil.copytree(scripts.MIGRATIONS, tmp_path / "migrations")
    (tmp_path / "migrations" / "tenant" / "versions" / f"{NEWER}_note.py").write_text(SECOND)

    def with_second():
        monkeypatch.setattr(scripts, "MIGRATIONS", tmp_path / "migrations")
        scripts.forget()

    yield with_second
    scripts.forget()


@pytest.fixture
def fleet(own_services):
    return [create_tenant(f"fleet-{secrets.token_hex(4)}x", "Fleet").ref for _ in range(3)]


def has_note(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        note = session.scalar(
            text(
                "SELECT count(*) FROM information_schema.columns"
                " WHERE table_schema = :schema AND table_name = 'tenant_settings' AND column_name = 'note'"
            ),
            {"schema": tenant.schema_name},
        )
        return bool(note)


def versions():
    with owner_session() as session:
        return dict(session.execute(text("SELECT schema_name, revision FROM node.tenant_schemas")).all())


def test_a_fleet_is_brought_to_head_past_one_that_fails_and_then_the_one(fleet, newer, capsys):
    one, broken, three = fleet
    with owner_session() as session:
        session.execute(text(f'ALTER TABLE "{broken.schema_name}".tenant_settings ADD COLUMN note int'))
    newer()

    assert run(["migrate", "--json"]) == 3, "done in part"
    printed = capsys.readouterr()
    done = json.loads(printed.out)
    assert set(done["upgraded"]) == {one.schema_name, three.schema_name}
    assert list(done["failed"]) == [broken.schema_name]
    assert "DuplicateColumn" in done["failed"][broken.schema_name]
    assert broken.schema_name in printed.err
    assert (has_note(one), has_note(three)) == (True, True)
    assert [versions()[tenant.schema_name] for tenant in fleet] == [NEWER, HEAD, NEWER]

    with owner_session() as session:
        session.execute(text(f'ALTER TABLE "{broken.schema_name}".tenant_settings DROP COLUMN note'))
    again = upgrade.migrate()
    assert again.upgraded == (broken.schema_name,)
    assert again.failed == {}
    assert has_note(broken)


def test_a_fleet_at_head_costs_a_handful_of_statements(fleet, newer):
    newer()
    upgrade.migrate()
    assert len(list_tenants()) == len(versions()) >= 3
    statements = []
    engine = engines.owner_engine()
    event.listen(engine, "before_cursor_execute", lambda *values: statements.append(values[2]))
    done = upgrade.migrate()
    asked = list(statements)
    assert (done.upgraded, done.failed) == ((), {})
    assert done.skipped == len(versions()) + 2
    reads = [statement for statement in asked if statement.startswith("SELECT") and "tenant_schemas" in statement]
    assert len(reads) == 1, "one query tells who is behind"
    assert len(asked) <= 8, "however many tenants there are"


def test_a_schema_of_a_newer_version_is_reported_and_left_alone(fleet, newer):
    newer()
    upgrade.migrate()
    scripts.forget()
    with pytest.MonkeyPatch.context() as older:
        older.setattr(scripts, "MIGRATIONS", OURS)
        done = upgrade.migrate()
    assert set(done.failed) >= {tenant.schema_name for tenant in fleet}
    assert all("newer version" in why for why in done.failed.values())


def test_shared_schemas_of_a_newer_version_stop_the_migration(own_services):
    with owner_session() as session:
        session.execute(text("UPDATE platform.alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(Conflict, match="platform"):
            upgrade.migrate()
    finally:
        with owner_session() as session:
            session.execute(
                text("UPDATE platform.alembic_version SET version_num = :head"), {"head": upgrade.head("platform")}
            )


@pytest.mark.parametrize("act", [list_tenants, lambda: get_tenant("anybody")])
def test_a_database_that_was_never_migrated_says_what_to_do(own_services, act):
    with owner_session() as session:
        session.execute(text("ALTER SCHEMA platform RENAME TO hidden"))
    try:
        with pytest.raises(Unavailable, match="set up") as error:
            act()
        assert "iit migrate" in error.value.command
    finally:
        with owner_session() as session:
            session.execute(text("ALTER SCHEMA hidden RENAME TO platform"))


def test_without_the_owners_login_migrating_says_what_to_set(own_services, settings_of):
    settings_of(database_url=own_services.database_url)
    with pytest.raises(Unavailable, match="DATABASE_OWNER_URL"):
        upgrade.migrate()
