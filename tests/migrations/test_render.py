"""The next migration is the difference between what was released and the models, and leads where the script leads."""

import json
import shutil

import pytest
from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, MetaData, Table, Text, text

from core.database import owner_session, scripts, upgrade
from core.database.bases import NAMING
from core.database.scope import path_of_schema
from core.tenancy import provisioning
from migrations import render, snapshot, steps
from migrations.lint import unsafe
from tests.migrations.test_catalog import catalog


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The tenants' tables in a registry that a test may change, as if just released, and a folder to render into."""
    folder = tmp_path / "migrations"
    shutil.copytree(upgrade.MIGRATIONS, folder)
    for tree in render.TREES:
        for script in render.unreleased(tree):
            (folder / tree / "versions" / script.name).unlink()
    snapshot.tables_of("tenant")
    ours = MetaData(naming_convention=NAMING)
    for table in snapshot.TREES["tenant"].sorted_tables:
        table.to_metadata(ours)
    monkeypatch.setitem(snapshot.TREES, "tenant", ours)
    monkeypatch.setattr(snapshot, "ROOT", folder)
    monkeypatch.setattr(scripts, "MIGRATIONS", folder)
    monkeypatch.setattr(steps, "REASONS", {})
    facts = snapshot.released("tenant")
    snapshot.write_released("tenant", {**facts, "tables": snapshot.facts_of("tenant")})
    for script in snapshot.scripts_of("tenant"):
        script.unlink()
    first = folder / "tenant" / "versions" / "0001_initial.py"
    first.write_text(_from_scratch(folder))
    facts["scripts"] = {first.name: snapshot.checksum(first)}
    snapshot.write_released("tenant", {**facts, "tables": snapshot.facts_of("tenant")})
    scripts.forget()
    yield ours
    scripts.forget()


def _from_scratch(folder):
    """A first migration with every table of the models as they are now."""
    difference = steps.difference("tenant", {}, [])
    body = "\n".join(f"    {line}" for step in difference.items for line in step.lines.splitlines())
    return (
        "import pgvector.sqlalchemy\nimport sqlalchemy as sa\n"
        "from alembic import op\nfrom sqlalchemy.dialects import postgresql\n"
        "from migrations.operations import grant_tenant\n"
        'revision = "0001"\ndown_revision = None\nbranch_labels = None\ndepends_on = None\n\n\n'
        f"def upgrade() -> None:\n{body}\n"
    )


def expand(models):
    """One change of every kind that is rendered."""
    patients = models.tables["patients"]
    patients.append_column(Column("note", Text))
    patients.append_column(Column("tries", Integer, nullable=False, server_default=text("7")))
    patients.append_constraint(CheckConstraint("tries >= 0", name="tries"))
    Index("ix_patients_tries", patients.c.tries, postgresql_where=text("tries > 7"))
    sex = next(one for one in patients.constraints if one.name == "ck_patients_sex")
    patients.constraints.remove(sex)
    patients.append_constraint(CheckConstraint("sex IN ('male', 'female', 'intersex')", name="sex"))
    alerts = models.tables["alerts"]
    alerts.c.status.nullable = True
    alerts.c.voided.server_default = None
    gone = next(index for index in alerts.indexes if index.name == "ix_alerts_created_at")
    alerts.indexes.remove(gone)
    changed = next(index for index in alerts.indexes if index.name == "ix_alerts_alert_type")
    alerts.indexes.remove(changed)
    Index("ix_alerts_alert_type", alerts.c.alert_type, alerts.c.status)
    Table(
        "notes",
        models,
        Column("uuid", Text, primary_key=True),
        Column("worklist_uuid", ForeignKey("worklists.uuid"), index=True),
        CheckConstraint("uuid <> ''", name="uuid"),
        info={"append_only": True},
    )
    models.tables["facilities"].info["append_only"] = True


def test_released_then_next_and_the_script_give_the_same_catalog(models, database):
    expand(models)
    assert render.main(["--title", "more"]) == 0
    scripts.forget()
    assert upgrade.head("tenant") == "0002"
    by_script, by_migrations = provisioning.new_schema_name(), provisioning.new_schema_name()
    with owner_session() as session:
        connection = session.connection()
        driver = connection.connection.driver_connection
        for schema in (by_script, by_migrations):
            driver.execute(f'CREATE ROLE "{schema}"')
            driver.execute(f'CREATE SCHEMA "{schema}"')
        upgrade.upgrade_schema(connection, "tenant", by_migrations)
        driver.execute(f"SELECT set_config('search_path', '{path_of_schema(by_script)}', true)")
        script = (snapshot.ROOT / "tenant" / "schema.sql").read_text()
        driver.execute(script.replace(':"tenant"', f'"{by_script}"').encode())
        one, other = catalog(session, by_script), catalog(session, by_migrations)
        session.rollback()
    assert one == other
    assert "notes" in str(one["columns"])
    assert "intersex" in str(one["constraints"])
    assert "tries > 7" in str(one["indexes"])


def steps_of(tree, change):
    """What is rendered after ``change(models)``, which is undone; the reasons are the test's."""
    before = snapshot.facts_of(tree)
    ours = MetaData(schema=snapshot.TREES[tree].schema, naming_convention=NAMING)
    for table in snapshot.TREES[tree].sorted_tables:
        table.to_metadata(ours)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(snapshot.TREES, tree, ours)
        change(ours.tables)
        items = steps.difference(tree, before, snapshot.prelude_of(tree)).items
    return [(step.allow, step.lines) for step in items]


def test_rights_that_are_given_need_no_reason_of_ours_and_those_that_are_taken_do(monkeypatch):
    def give(tables):
        tables["audit_events"].info.pop("append_only")

    def take(tables):
        tables["facilities"].info["append_only"] = True

    gives, takes = (
        "it takes no right: what could be done before is among what is given",
        "no code since 0007 changes one",
    )
    assert steps_of("tenant", give) == [
        (gives, "regrant_tenant('SELECT, INSERT, UPDATE, DELETE', 'audit_events')"),
    ]
    line = "regrant_tenant('SELECT, INSERT', 'facilities')"
    assert steps_of("tenant", take) == [(None, line)]
    monkeypatch.setitem(steps.REASONS, ("tenant", "facilities.grants"), takes)
    assert steps_of("tenant", take) == [(takes, line)]


def test_a_right_to_some_columns_is_one():
    assert steps._rights("SELECT, UPDATE (a, b), DELETE") == {"SELECT", "UPDATE (a, b)", "DELETE"}


def test_the_reason_for_a_unique_index_of_a_shared_table_stands_where_the_lint_looks_for_it(monkeypatch):
    def change(tables):
        Index("uq_jobs_kind", tables["node.jobs"].c.kind, unique=True)

    assert list(unsafe("migrations/node/versions/0009_x.py", steps_of("node", change)[0][1]))
    monkeypatch.setitem(steps.REASONS, ("node", "uq_jobs_kind"), "no code writes a kind twice")
    ((allow, lines),) = steps_of("node", change)
    assert allow is None
    assert "    # allow: no code writes a kind twice\n    op.create_index(" in lines
    assert list(unsafe("migrations/node/versions/0009_x.py", lines)) == []


def test_the_next_migration_is_rendered_again_in_its_place_and_goes_when_nothing_is_new(models):
    expand(models)
    assert render.main(["--title", "more"]) == 0
    first = snapshot.scripts_of("tenant")[-1]
    models.tables["alerts"].append_column(Column("late", Text))
    assert render.main(["--title", "other"]) == 0  # the script keeps its title: it is not new
    assert [script.name for script in snapshot.scripts_of("tenant")] == ["0001_initial.py", "0002_more.py"]
    assert '"late"' in first.read_text()
    assert render.main(["--release"]) == 0
    assert render.unreleased("tenant") == []
    assert render.migration("tenant") is None
    models.tables["alerts"].append_column(Column("later", Text))
    assert render.main([]) == 0
    assert snapshot.scripts_of("tenant")[-1].name == "0003_next.py"
    assert '"late"' not in snapshot.scripts_of("tenant")[-1].read_text()


def gone_column(models):
    alerts = models.tables["alerts"]
    alerts._columns.remove(alerts.c.due_date)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (gone_column, "due_date"),
        (lambda models: models.remove(models.tables["audit_events"]), "audit_events"),
        (lambda models: setattr(models.tables["alerts"].c.due_date, "type", Text()), "DATE became TEXT"),
        (lambda models: setattr(models.tables["alerts"].c.due_date, "nullable", False), "rows may hold"),
        (
            lambda models: models.tables["alerts"].append_column(Column("must", Text, nullable=False)),
            "nullable or have a server default",
        ),
    ],
)
def test_what_landed_code_would_not_survive_is_rejected_and_nothing_is_written(models, change, message, capsys):
    change(models)
    before = [script.read_text() for script in snapshot.scripts_of("tenant")]
    assert render.main([]) == 1
    assert message in capsys.readouterr().err
    assert [script.read_text() for script in snapshot.scripts_of("tenant")] == before


def test_a_released_script_that_was_edited_is_rejected(models, capsys):
    script = snapshot.scripts_of("tenant")[0]
    script.write_text(script.read_text() + "\n")
    assert render.main([]) == 1
    assert "tenant/0001_initial.py" in capsys.readouterr().err


def test_no_released_script_of_ours_was_edited():
    for tree in snapshot.TREES:
        assert snapshot.edited(tree) == [], tree
        assert json.dumps(snapshot.released(tree)["tables"])
