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


def found(step, path="migrations/tenant/versions/0002_x.py", top=""):
    return list(unsafe(path, SCRIPT.format(step=step, top=top)))


CONCURRENTLY = """with concurrently("node", "ix"):
        op.create_index("ix", "jobs", ["a"], postgresql_concurrently=True)"""
UNSAFE = [
    ('op.drop_column("alerts", "status")', "drops"),
    ('op.drop_table("alerts")', "drops"),
    ('op.rename_table("alerts", "warnings")', "renames"),
    ('op.alter_column("alerts", "status", new_column_name="state")', "renames"),
    ('op.alter_column("alerts", "status", type_=sa.Integer())', "changes a type"),
    ('op.alter_column("alerts", "status", nullable=False)', "refuses rows"),
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
    ('op.execute("ALTER TABLE alerts ALTER a SET NOT NULL")', "refuses rows"),
    ('op.execute("ALTER TABLE alerts ADD COLUMN a int NOT NULL")', "NOT NULL"),
    ('op.execute("ALTER TABLE alerts ADD COLUMN a uuid DEFAULT gen_random_uuid()")', "volatile"),
    ('op.execute("ALTER TABLE alerts ADD CONSTRAINT c CHECK (a > 0)")', "NOT VALID"),
    ('op.execute("ALTER TABLE alerts ADD FOREIGN KEY (a) REFERENCES b (c)")', "NOT VALID"),
    ('op.execute("UPDATE alerts SET status = lower(status)")', "without batches"),
    ('op.execute(sa.text("DELETE FROM alerts"))', "without batches"),
    ('op.execute("TRUNCATE alerts")', "empties"),
    ('op.execute("LOCK TABLE alerts")', "locks"),
    ("op.get_bind()", "DATA_STEPS"),
    ('op.create_index("ix", "alerts", ["a"], postgresql_concurrently=True)', "outside"),
]


@pytest.mark.parametrize(("step", "said"), UNSAFE)
def test_an_unsafe_step_is_found(step, said):
    problems = found(step)
    assert len(problems) >= 1
    assert said in problems[0]


@pytest.mark.parametrize(
    "step", ['op.create_index("ix", "jobs", ["a"], schema="node")', 'op.execute("CREATE INDEX ix ON node.jobs (a)")']
)
def test_an_index_of_a_shared_table_is_built_concurrently(step):
    assert "CONCURRENTLY" in found(step, "migrations/node/versions/0002_x.py")[0]


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
    ],
)  # fmt: skip
def test_a_safe_step_passes(step, path):
    assert found(step, f"migrations/{path}/versions/0002_x.py") == []


def test_a_reason_lets_a_step_pass_and_an_empty_one_does_not():
    assert found('op.drop_table("alerts")  # allow: no release since 0007 reads it') == []
    assert found('# allow: no release since 0007 reads it\n    op.drop_table("alerts")') == []
    assert "says nothing" in found('op.drop_table("alerts")  # allow: ok')[0]


def test_a_script_that_says_it_works_on_rows_may():
    assert found("op.get_bind()", top="DATA_STEPS = True") == []
