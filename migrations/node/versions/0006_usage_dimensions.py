"""Additions to node after 0005: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.operations import (
    bind_tenant_id,
    grant_application,
    guard_rows,
    make_use_guards,
    own_rows_only,
    regrant_tenants,
)

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 50 steps."""
    make_use_guards()
    op.create_table(
        "dead_letter_levels",
        sa.Column("tenant_role", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_role", name=op.f("pk_dead_letter_levels")),
        schema="node",
    )
    op.add_column(
        "dead_letters", sa.Column("failures", postgresql.JSONB(astext_type=sa.Text()), nullable=True), schema="node"
    )
    op.add_column("dead_letters", sa.Column("resolution_reason", sa.Text(), nullable=True), schema="node")
    op.drop_constraint("ck_dead_letters_reason", "dead_letters", schema="node", type_="check")
    # allow: it allows more words than the check before it, and few letters wait
    op.create_check_constraint(
        op.f("ck_dead_letters_reason"),
        "dead_letters",
        "reason IN ('attempts', 'interruptions', 'refused', 'deadline')",
        schema="node",
    )
    op.create_table(
        "event_counters",
        sa.Column("tenant_role", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_role", name=op.f("pk_event_counters")),
        schema="node",
    )
    op.create_table(
        "inbox",
        sa.Column("tenant_role", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_role", "source", "message_id", name=op.f("pk_inbox")),
        schema="node",
    )
    op.create_index("ix_inbox_received_at", "inbox", ["received_at"], unique=False, schema="node")
    op.create_table(
        "job_cancellations",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_role", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_cancellations")),
        schema="node",
    )
    op.add_column(
        "jobs", sa.Column("priority", sa.SmallInteger(), server_default=sa.text("1"), nullable=False), schema="node"
    )
    op.add_column("jobs", sa.Column("deadline", sa.DateTime(timezone=True), nullable=True), schema="node")
    op.add_column("jobs", sa.Column("failures", postgresql.JSONB(astext_type=sa.Text()), nullable=True), schema="node")
    op.add_column("jobs", sa.Column("traceparent", sa.Text(), nullable=True), schema="node")
    op.add_column("jobs", sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True), schema="node")
    op.add_column("jobs", sa.Column("result_until", sa.DateTime(timezone=True), nullable=True), schema="node")
    # allow: jobs are kept for days: one look at some thousand rows, in milliseconds
    op.create_check_constraint(op.f("ck_jobs_priority"), "jobs", "priority BETWEEN 0 AND 2", schema="node")
    op.drop_constraint("ck_jobs_state", "jobs", schema="node", type_="check")
    # allow: jobs are kept for days: one look at some thousand rows, in milliseconds
    op.create_check_constraint(
        op.f("ck_jobs_state"),
        "jobs",
        "state IN ('queued', 'sent', 'running', 'done', 'dead', 'discarded', 'cancelled')",
        schema="node",
    )
    op.drop_index("ix_jobs_queued", table_name="jobs", schema="node")
    # allow: jobs are kept for days: one look at some thousand rows, in milliseconds
    op.create_index(
        "ix_jobs_deadline",
        "jobs",
        ["deadline"],
        unique=False,
        schema="node",
        postgresql_where=sa.text("deadline IS NOT NULL AND state IN ('queued', 'sent', 'running')"),
    )
    op.drop_index("ix_jobs_ended", table_name="jobs", schema="node")
    # allow: jobs are kept for days: one look at some thousand rows, in milliseconds
    op.create_index(
        "ix_jobs_ended",
        "jobs",
        ["finished_at"],
        unique=False,
        schema="node",
        postgresql_where=sa.text("state IN ('done', 'discarded', 'cancelled')"),
    )
    # allow: jobs are kept for days: one look at some thousand rows, in milliseconds
    op.create_index(
        "ix_jobs_result_until",
        "jobs",
        ["result_until"],
        unique=False,
        schema="node",
        postgresql_where=sa.text("result_until IS NOT NULL"),
    )
    # allow: jobs are kept for days: one look at some thousand rows, in milliseconds
    op.create_index(
        "ix_jobs_waiting",
        "jobs",
        ["tenant_role", "kind", "priority", "run_after", "id"],
        unique=False,
        schema="node",
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_role", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column(
            "published_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("forwarded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sequence", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        schema="node",
    )
    op.create_index(
        "ix_outbox_forwarded",
        "outbox",
        ["forwarded_at"],
        unique=False,
        schema="node",
        postgresql_where=sa.text("forwarded_at IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_sequence",
        "outbox",
        ["tenant_id", "sequence"],
        unique=False,
        schema="node",
        postgresql_where=sa.text("sequence IS NOT NULL"),
    )
    op.create_index(
        "ix_outbox_waiting",
        "outbox",
        ["published_at", "id"],
        unique=False,
        schema="node",
        postgresql_where=sa.text("forwarded_at IS NULL"),
    )
    op.add_column("usage_events", sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=True), schema="node")
    op.add_column(
        "usage_events",
        sa.Column(
            "dimensions", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        schema="node",
    )
    # allow: a few rows for each tenant and day: the table is rewritten and indexed in seconds at most
    op.add_column(
        "usage_events",
        sa.Column(
            "transaction_id",
            sa.BigInteger(),
            server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
            nullable=True,
        ),
        schema="node",
    )
    op.add_column("usage_events", sa.Column("corrects", sa.Uuid(), nullable=True), schema="node")
    op.add_column("usage_events", sa.Column("reason", sa.Text(), nullable=True), schema="node")
    # allow: a few rows for each tenant and day: the table is rewritten and indexed in seconds at most
    op.create_index(
        "ix_usage_events_transaction_id", "usage_events", ["transaction_id", "id"], unique=False, schema="node"
    )
    grant_application("SELECT, INSERT, UPDATE, DELETE", "node", "dead_letter_levels")
    grant_application("SELECT, DELETE", "node", "event_counters")
    own_rows_only("SELECT, INSERT, UPDATE", "node", "event_counters")
    bind_tenant_id("node", "event_counters")
    grant_application("SELECT, INSERT, DELETE", "node", "inbox")
    own_rows_only("SELECT, INSERT", "node", "inbox")
    bind_tenant_id("node", "inbox")
    grant_application("SELECT, INSERT, DELETE", "node", "job_cancellations")
    own_rows_only("SELECT, INSERT", "node", "job_cancellations")
    bind_tenant_id("node", "job_cancellations")
    # allow: one column more than before, in one transaction: code that still runs loses nothing
    regrant_tenants(
        "SELECT, INSERT, UPDATE (state, run_after, lease_token, lease_until, progress_done, progress_total, progress_note, result, result_until, finished_at, updated_at, error)",
        "node",
        "jobs",
    )
    grant_application("SELECT, UPDATE, DELETE", "node", "outbox")
    own_rows_only("INSERT", "node", "outbox")
    bind_tenant_id("node", "outbox")
    guard_rows("guard_use", "node", "usage_events")
