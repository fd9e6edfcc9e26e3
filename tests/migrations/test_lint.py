"""Steps that running code would not survive are found, each of them, and a reason lets one pass."""

import pytest

from migrations.lint import unsafe

SCRIPT = """import sqlalchemy as sa
from alembic import op
from migrations.operations import concurrently
revision, down_revision = "0002", "0001"
{top}

def upgrade() -> None:
    op.create_table("made", sa.Column("id", sa.Integer()))
    {step}
"""


def findings(step, path="migrations/tenant/versions/0002_x.py", top=""):
    return list(unsafe(path, SCRIPT.format(step=step, top=top)))


CONCURRENTLY = """with concurrently("node", "ix"):
        op.create_index("ix", "jobs", ["a"], postgresql_concurrently=True)"""
UNSAFE = [
    ('op.drop_column("alerts", "status")', "drops"),
    ('op.drop_table("alerts")', "drops"),
    ('op.rename_table("alerts", "warnings")', "renames"),
    ('op.alter_column("alerts", "status", new_column_name="state")', "renames"),
    ('op.alter_column("alerts", "status", type_=sa.Integer())', "changes a type"),
    ('op.alter_column("alerts", "status", nullable=False)', "rejects rows"),
    ('op.add_column("alerts", sa.Column("x", sa.Text(), nullable=False))', "NOT NULL"),
    (
        'op.add_column("alerts", sa.Column("x", sa.Uuid(), server_default=sa.text("gen_random_uuid()")))',
        "volatile default",
    ),
    ('op.add_column("alerts", sa.Column("x", sa.Integer(), sa.Identity(always=True)))', "generated"),
    ('op.create_check_constraint("ck", "alerts", "a > 0")', "NOT VALID"),
    ('op.create_foreign_key("fk", "alerts", "patients", ["a"], ["b"])', "NOT VALID"),
    ('op.create_unique_constraint("uq_x", "alerts", ["a"])', "index under a lock"),
    ('op.drop_constraint("uq_x", "alerts", type_="unique")', "unique"),
    ('op.drop_index("uq_alerts_x", table_name="alerts")', "unique"),
    ('op.execute("ALTER TABLE alerts DROP COLUMN status")', "drops"),
    ('op.execute("ALTER TABLE alerts RENAME COLUMN a TO b")', "renames"),
    ('op.execute("ALTER TABLE alerts ALTER COLUMN a TYPE bigint")', "changes a type"),
    ('op.execute("ALTER TABLE alerts ALTER a SET NOT NULL")', "rejects rows"),
    ('op.execute("ALTER TABLE alerts ADD COLUMN a int NOT NULL")', "NOT NULL"),
    ('op.execute("ALTER TABLE alerts ADD COLUMN a uuid DEFAULT gen_random_uuid()")', "volatile"),
    ('op.execute("ALTER TABLE alerts ADD CONSTRAINT c CHECK (a > 0)")', "NOT VALID"),
    ('op.execute("ALTER TABLE alerts ADD FOREIGN KEY (a) REFERENCES b (c)")', "NOT VALID"),
    ('op.execute("UPDATE alerts SET status = lower(status)")', "without batches"),
    ('op.execute(sa.text("DELETE FROM alerts"))', "without batches"),
    ('op.execute("TRUNCATE alerts")', "empties"),
    ('op.execute("LOCK TABLE alerts")', "locks"),
    ("op.get_bind()", "DATA_STEPS"),
    ('op.drop_index(op.f("uq_alerts_x"), table_name="alerts")', "unique"),
    ('op.drop_index(index_name="of_unknown_kind")', "unique"),
    ('op.drop_constraint("of_unknown_kind", "alerts")', "unique"),
    ('op.drop_constraint("ck_but_primary", "alerts", "primary")', "unique"),
    ('op.create_index("uq_x", "alerts", ["a"], unique=True)', "makes unique"),
    ('op.create_index("uq_x", "alerts", ["a"], unique=UNIQUE)', "makes unique"),
    ('op.add_column("alerts", sa.Column("x", sa.Integer(), unique=True))', "index under a lock"),
    ('op.add_column("alerts", sa.Column("x", sa.Integer(), primary_key=True))', "index under a lock"),
    ('op.add_column("alerts", sa.Column("x", sa.Uuid(), sa.ForeignKey("patients.uuid")))', "NOT VALID"),
    ('op.add_column("alerts", sa.Column("x", sa.Integer(), sa.CheckConstraint("x > 0")))', "NOT VALID"),
    ('op.add_column("alerts", sa.Column("x", sa.Boolean(create_constraint=True)))', "NOT VALID"),
    ('key = sa.ForeignKey("p.u")\n    op.add_column("alerts", sa.Column("x", key))', "NOT VALID"),
    ('op.add_column("alerts", sa.Column("x", sa.Integer(), made_elsewhere))', "cannot see"),
    ('op.add_column("alerts", sa.Column("x", sa.Integer(), **options))', "cannot see"),
    ('op.add_column("alerts", made_elsewhere)', "cannot see"),
    ('op.add_column("alerts", sa.Column("x", sa.Text(), nullable=made_elsewhere))', "NOT NULL"),
    ('op.add_column("alerts", sa.Column("x", sa.Text(), nullable=False, server_default=None))', "NOT NULL"),
    ('op.add_column("alerts", sa.Column("x", sa.Text(), server_default=made_elsewhere))', "volatile default"),
    ('op.add_column("alerts", sa.Column("x", sa.Float(), server_default=sa.func.random()))', "volatile default"),
    ('column = sa.Column("x", sa.Text(), nullable=False)\n    op.add_column("alerts", column)', "NOT NULL"),
    ('op.alter_column("alerts", "status", nullable=made_elsewhere)', "rejects rows"),
    ('op.alter_column("alerts", "status", **options)', "cannot see"),
    ('regrant_tenant("SELECT", "alerts")', "takes rights"),
    ('regrant_application("SELECT, INSERT, UPDATE, DELETE", "node", "jobs")', "takes rights"),
    ('regrant_tenants(RIGHTS, "node", "jobs")', "takes rights"),
    ('op.execute("REVOKE UPDATE ON alerts FROM PUBLIC")', "takes rights"),
    ('op.execute("ALTER TABLE alerts DROP CONSTRAINT uq_x")', "unique"),
    ('op.execute("SELECT 1; UPDATE alerts SET a = 1")', "without batches"),
    ('op.execute(sqltext="DROP TABLE alerts")', "drops"),
    ('sql = "DROP " + "TABLE alerts"\n    op.execute(sql)', "drops"),
    ('table = "alerts"\n    op.execute(sa.text(f"DROP TABLE {table}").bindparams())', "drops"),
    ("op.execute(made_elsewhere)", "not in the script"),
    ("op.execute(sa.delete(alerts))", "not in the script"),
    ('sql = "SELECT 1"\n    sql = "DROP TABLE alerts"\n    op.execute(sql)', "not in the script"),
    ('for sql in ["DROP TABLE alerts"]:\n        op.execute(sql)', "not in the script"),
    ('sql = "SELECT 1"\n    sql += "; DROP TABLE alerts"\n    op.execute(sql)', "not in the script"),
    ("sql = sql + sql\n    op.execute(sql)", "not in the script"),
    ('op.execute("DROP TABLE %s" % "alerts")', "not in the script"),
    ('op.execute(f"SELECT {1:>3}")', "not in the script"),
    ('connection.scalars(sa.text("DELETE FROM alerts RETURNING uuid"))', "without batches"),
    ('with op.batch_alter_table("alerts") as batch:\n        batch.add_column(column)', "batch_alter_table"),
    ("op.invoke(operation)", "op.invoke"),
    ('run = op.execute\n    run("DROP TABLE alerts")', "passes `op` on"),
    ('getattr(op, "drop_table")("alerts")', "passes `op` on"),
    ('give = regrant_tenant\n    give("SELECT", "alerts")', "passes `regrant_tenant` on"),
    ("from elsewhere import steps", "imports code"),
    ("from . import steps", "imports code"),
    ("from migrations.operations import *", "imports code"),
    ("from migrations.operations import new_operation", "imports code"),
    ("from alembic import op as other", "imports code"),
    ("import alembic.op", "imports code"),
    ("import pgvector.psycopg", "imports code"),
    ('op.create_index("ix", "alerts", ["a"], postgresql_concurrently=True)', "outside"),
]


@pytest.mark.parametrize(("step", "message"), UNSAFE)
def test_an_unsafe_step_is_found(step, message):
    problems = findings(step)
    assert len(problems) >= 1
    assert message in problems[0]


@pytest.mark.parametrize(
    "step",
    [
        'op.create_index("ix", "jobs", ["a"], schema="node")',
        'op.execute("CREATE INDEX ix ON node.jobs (a)")',
        'op.add_column("jobs", sa.Column("a", sa.Text(), index=True), schema="node")',
    ],
)
def test_an_index_of_a_shared_table_is_built_concurrently(step):
    assert "CONCURRENTLY" in findings(step, "migrations/node/versions/0002_x.py")[0]


@pytest.mark.parametrize(
    ("step", "path"),
    [
        ('op.create_index("ix", "alerts", ["a"])', "tenant"),
        ('op.create_index("ix", "made", ["a"], schema="node")', "node"),
        (CONCURRENTLY, "node"),
        ('op.add_column("alerts", sa.Column("x", sa.Integer(), nullable=True))', "tenant"),
        ('op.add_column("alerts", sa.Column("x", sa.Text(), nullable=False, server_default="0"))', "tenant"),
        ('op.add_column("alerts", sa.Column("x", STAMP, nullable=False, server_default=sa.text("now()")))', "tenant"),
        ('op.create_check_constraint("ck", "alerts", "a > 0", postgresql_not_valid=True)', "tenant"),
        ('op.create_check_constraint("ck", "made", "a > 0")', "tenant"),
        ('op.execute("ALTER TABLE alerts ADD COLUMN a int NOT NULL DEFAULT 0")', "tenant"),
        ('op.execute("ALTER TABLE alerts ADD CONSTRAINT c CHECK (a > 0) NOT VALID")', "tenant"),
        ('op.execute("ALTER TABLE alerts VALIDATE CONSTRAINT c")', "tenant"),
        ('op.alter_column("alerts", "status", nullable=True)', "tenant"),
        ('op.drop_index("ix_alerts_status", table_name="alerts")', "tenant"),
        ('op.drop_constraint(op.f("ck_alerts_status"), "alerts", type_="check")', "tenant"),
        ('op.drop_constraint("of_unknown_name", "alerts", type_="foreignkey")', "tenant"),
        ('op.create_index("uq_x", "made", ["a"], unique=True)', "tenant"),
        ('op.create_index("ix", "alerts", ["a"], unique=False)', "tenant"),
        ('op.add_column("made", sa.Column("x", sa.Integer(), unique=True, nullable=False))', "tenant"),
        ('op.add_column("alerts", sa.Column("x", sa.Text(), server_default=sa.func.now()))', "tenant"),
        ('op.execute("CREATE TABLE also (a int)")\n    op.create_unique_constraint("uq", "also", ["a"])', "tenant"),
        ('regrant_tenant("SELECT, INSERT, UPDATE, DELETE, TRUNCATE", "alerts")', "tenant"),
        ('grant_tenant("SELECT", "made")', "tenant"),
        ('sql = "SELECT 1"\n    op.execute(sa.text(sql))', "tenant"),
        ('op.create_table_comment("alerts", "DROP TABLE")', "tenant"),
        ("import pgvector.sqlalchemy", "tenant"),
    ],
)  # fmt: skip
def test_a_safe_step_passes(step, path):
    assert findings(step, f"migrations/{path}/versions/0002_x.py") == []


def test_a_reason_lets_a_step_pass_and_an_empty_one_does_not():
    top = 'OLDEST_CODE = "0007"'
    assert findings('op.drop_table("alerts")  # allow: no release since 0007 reads it', top=top) == []
    assert findings('# allow: no release since 0007 reads it\n    op.drop_table("alerts")', top=top) == []
    assert "says nothing" in findings('op.drop_table("alerts")  # allow: ok', top=top)[0]


def test_a_script_that_says_it_works_on_rows_may():
    assert findings("op.get_bind()", top="DATA_STEPS = True") == []


def test_a_statement_that_is_not_seen_passes_with_a_reason():
    assert findings("# allow: one row for each tenant, in batches\n    op.execute(made_elsewhere)") == []
    assert findings("import elsewhere  # allow: names of the columns, and no step") == []


def test_a_reason_at_the_end_of_a_line_is_not_that_of_the_next():
    first, second = 'op.drop_table("a")  # allow: no release since 0007 reads it', 'op.drop_table("b")'
    (problem,) = findings(f"{first}\n    {second}", top='OLDEST_CODE = "0007"')
    assert ":10:" in problem


@pytest.mark.parametrize(
    "step", ['op.drop_column("alerts", "status")', 'op.execute("ALTER TABLE alerts RENAME a TO b")']
)
def test_a_step_that_takes_something_away_says_which_code_runs_after_it(step):
    allowed = f"# allow: nothing has read it since the release before\n    {step}"
    assert "OLDEST_CODE" in findings(allowed)[0]
    assert findings(allowed, top='OLDEST_CODE = "0001"') == []
