"""The pre-rendered script and the migrations make the same schema, and both are what the models say."""

import re

import pytest
from sqlalchemy import text

from core.database import TenantBase, owner_session
from core.database.scope import path_of_schema
from core.database.upgrade import MIGRATIONS, head, upgrade_schema
from core.tenancy import provisioning
from migrations import render

CATALOG = {
    "columns": """
        SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
            pg_get_expr(d.adbin, d.adrelid)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind = 'r'""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint
        WHERE connamespace = CAST(:schema AS regnamespace)""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = :schema",
    "privileges": """
        SELECT c.relname, c.relkind::text, g.rolname, a.privilege_type, a.is_grantable, o.rolname
        FROM pg_class c JOIN pg_roles o ON o.oid = c.relowner,
            aclexplode(c.relacl) a JOIN pg_roles g ON g.oid = a.grantee
        WHERE c.relnamespace = CAST(:schema AS regnamespace)""",
    "others": """
        SELECT relkind::text, relname, relrowsecurity FROM pg_class
        WHERE relnamespace = CAST(:schema AS regnamespace)""",
}


def catalog(session, schema):
    """What PostgreSQL knows of a schema, its own name aside."""
    session.execute(text("SELECT set_config('search_path', '', true)"))
    return {
        what: sorted(
            re.sub(rf'"?{schema}"?', "SCHEMA", repr(tuple(row)))
            for row in session.execute(text(query), {"schema": schema})
        )
        for what, query in CATALOG.items()
    }


@pytest.fixture
def both(database):
    """Two schemas, one by the script and one by the migrations, in a transaction that is rolled back."""
    by_script, by_migrations = provisioning.new_schema_name(), provisioning.new_schema_name()
    with owner_session() as session:
        connection = session.connection()
        driver = connection.connection.driver_connection
        provisioning.provision(driver, "00000000-0000-0000-0000-000000000001", by_script)
        driver.execute(f'CREATE ROLE "{by_migrations}"')
        driver.execute(f'CREATE SCHEMA "{by_migrations}"')
        upgrade_schema(connection, "tenant", by_migrations)
        yield session, by_script, by_migrations
        session.rollback()


def test_script_and_migrations_give_the_same_catalog(both):
    session, by_script, by_migrations = both
    one, other = catalog(session, by_script), catalog(session, by_migrations)
    assert one == other
    assert all(one.values())


def test_the_comparison_sees_a_difference_of_each_kind(both):
    session, by_script, by_migrations = both
    expected = catalog(session, by_migrations)
    session.execute(text(f"SELECT set_config('search_path', '{path_of_schema(by_script)}', true)"))
    for change in (
        "ALTER TABLE audit_events ALTER COLUMN actor DROP NOT NULL",
        "ALTER TABLE patients DROP CONSTRAINT ck_patients_sex",
        "DROP INDEX ix_patients_datim_id",
        f'GRANT DELETE ON audit_events TO "{by_script}"',
    ):
        session.execute(text(change))
    actual = catalog(session, by_script)
    for what in ("columns", "constraints", "indexes", "privileges"):
        assert actual[what] != expected[what], what


def test_what_is_committed_is_what_the_models_say():
    for tree in render.TREES:
        source = render.migration(tree)
        files = render.unreleased(tree)
        remedy = f"run python -m migrations.render and commit the next migration of {tree}"
        assert len(files) == (source is not None), remedy
        if source is not None:
            assert files[0].read_text(encoding="utf-8") == render.formatted(source), remedy
    script = (MIGRATIONS / "tenant" / "schema.sql").read_text(encoding="utf-8")
    assert script == render.script(head("tenant")), "run python -m migrations.render and commit tenant/schema.sql"


def test_tenants_tables_are_in_no_schema_and_point_to_none():
    render.tables_of("tenant")
    for table in TenantBase.metadata.tables.values():
        assert table.schema is None
        assert all(key.column.table.schema is None for key in table.foreign_keys), table.name


def test_every_name_is_given_by_us_and_not_cut_off():
    for tree in render.TREES:
        for table in render.tables_of(tree):
            for named in (*table.indexes, *table.constraints):
                assert named.name, f"{table.name} has something without a name"
                assert len(str(named.name)) <= 63, named.name
