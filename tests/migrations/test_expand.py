"""Code of the last release works on schemas of this one: all that it reads and writes is still there."""

import pytest
from sqlalchemy import text

from core.database import owner_session
from migrations import render, snapshot, steps
from migrations.reasons import REASONS

COLUMNS = text(
    "SELECT c.relname, a.attname, upper(format_type(a.atttypid, NULL)) AS type, a.attnotnull AS must,"
    " a.atthasdef OR a.attidentity <> '' AS filled FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid"
    " WHERE c.relnamespace = CAST(:schema AS regnamespace) AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
)
UNIQUE = text(
    "SELECT c.relname FROM pg_class AS c JOIN pg_index AS i ON i.indexrelid = c.oid"
    " WHERE c.relnamespace = CAST(:schema AS regnamespace) AND i.indisunique"
)
SAME = {"FLOAT": "DOUBLE PRECISION"}
GRANTED = text("SELECT has_table_privilege(:role, :table, :privilege)")


@pytest.fixture(params=["platform", "node", "tenant"])
def grown(request, database, tenant):
    """A tree, its schema at head, and its tables as they were released."""
    schema = tenant.schema_name if request.param == "tenant" else request.param
    return request.param, schema, snapshot.released(request.param)["tables"]


def test_every_released_column_is_there_and_takes_what_it_took(grown):
    tree, schema, tables = grown
    with owner_session() as session:
        columns = {(row.relname, row.attname): row for row in session.execute(COLUMNS, {"schema": schema})}
    for name, table in tables.items():
        for column, was in table["columns"].items():
            now = columns[name, column]
            assert not (was["nullable"] and now.must), f"{tree}: {name}.{column}"
            if "(" not in was["type"]:
                assert now.type == SAME.get(was["type"], was["type"]), f"{tree}: {name}.{column}"


def test_a_row_of_released_columns_alone_is_accepted(grown):
    tree, schema, tables = grown
    with owner_session() as session:
        rows = session.execute(COLUMNS, {"schema": schema}).all()
    for row in rows:
        if row.relname in tables and row.attname not in tables[row.relname]["columns"]:
            assert row.filled or not row.must, f"{tree}: {row.relname}.{row.attname}"


def test_what_released_code_names_in_on_conflict_is_still_unique(grown):
    tree, schema, tables = grown
    with owner_session() as session:
        unique = set(session.scalars(UNIQUE, {"schema": schema}))
    for table in tables.values():
        wanted = {name for name, index in table["indexes"].items() if index.startswith("CREATE UNIQUE")}
        wanted |= {name for name, one in table["constraints"].items() if "UNIQUE" in one or "PRIMARY KEY" in one}
        assert wanted <= unique, tree


def test_released_grants_are_still_given(grown):
    tree, schema, tables = grown
    roles = {"own": schema, "app": "iit_app", "tenant": "iit_tenant"}
    with owner_session() as session:
        for name, table in tables.items():
            if (tree, f"{name}.grants") in REASONS:
                continue  # taken away on purpose, with a reason why running code does not need them
            for kind, privileges in table["grants"].items():
                for privilege in steps._rights(privileges):
                    if kind in roles and "(" not in privilege:
                        values = {"role": roles[kind], "table": f'"{schema}"."{name}"', "privilege": privilege}
                        assert session.scalar(GRANTED, values), f"{tree}: {values}"


def test_an_index_of_a_shared_table_is_rendered_without_a_lock_and_first(monkeypatch):
    released = snapshot.released("node")
    jobs = {**released["tables"]["jobs"], "indexes": dict(released["tables"]["jobs"]["indexes"])}
    del jobs["indexes"]["ix_jobs_running"]
    monkeypatch.setattr(
        snapshot, "released", lambda _tree: {**released, "tables": {**released["tables"], "jobs": jobs}}
    )
    body = render.migration("node").split("def upgrade", 1)[1].splitlines()
    assert body[2] == "    with concurrently('node', 'ix_jobs_running'):"
    assert "postgresql_concurrently=True" in "".join(body[3:5])
