"""The first tables of node: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.operations import grant_application, make_tenants_role, open_schema, own_rows_only

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make 4 tables."""
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_role", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("died_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.CheckConstraint("reason IN ('attempts', 'interruptions', 'refused')", name=op.f("ck_dead_letters_reason")),
        sa.CheckConstraint("resolution IN ('retried', 'discarded')", name=op.f("ck_dead_letters_resolution")),
        sa.CheckConstraint("(resolution IS NULL) = (resolved_at IS NULL)", name=op.f("ck_dead_letters_resolved")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
        schema="node",
    )
    op.create_index("ix_dead_letters_job_id", "dead_letters", ["job_id"], unique=False, schema="node")
    op.create_index(
        "ix_dead_letters_open",
        "dead_letters",
        ["died_at"],
        unique=False,
        schema="node",
        postgresql_where=sa.text("resolution IS NULL"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_role", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("dedupe_key", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'queued'"), nullable=False),
        sa.Column("run_after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("deliveries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("interruptions", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("sends", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_token", sa.Uuid(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("progress_done", sa.BigInteger(), nullable=True),
        sa.Column("progress_total", sa.BigInteger(), nullable=True),
        sa.Column("progress_note", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'running') = (lease_token IS NOT NULL AND lease_until IS NOT NULL)", name=op.f("ck_jobs_lease")
        ),
        sa.CheckConstraint(
            "state IN ('queued', 'sent', 'running', 'done', 'dead', 'discarded')", name=op.f("ck_jobs_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
        schema="node",
    )
    op.create_index(
        "ix_jobs_ended",
        "jobs",
        ["finished_at"],
        unique=False,
        schema="node",
        postgresql_where=sa.text("state IN ('done', 'discarded')"),
    )
    op.create_index(
        "ix_jobs_queued",
        "jobs",
        ["tenant_role", "run_after", "id"],
        unique=False,
        schema="node",
        postgresql_where=sa.text("state = 'queued'"),
    )
    op.create_index(
        "ix_jobs_running",
        "jobs",
        ["lease_until"],
        unique=False,
        schema="node",
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index(
        "ix_jobs_sent", "jobs", ["sent_at"], unique=False, schema="node", postgresql_where=sa.text("state = 'sent'")
    )
    op.create_index("ix_jobs_tenant_role_id", "jobs", ["tenant_role", "id"], unique=False, schema="node")
    op.create_index(
        "uq_jobs_dedupe_key",
        "jobs",
        ["tenant_role", "kind", "dedupe_key"],
        unique=True,
        schema="node",
        postgresql_where=sa.text("dedupe_key IS NOT NULL AND state IN ('queued', 'sent', 'running')"),
    )
    op.create_table(
        "tenant_schemas",
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("migrated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("schema_name", name=op.f("pk_tenant_schemas")),
        sa.UniqueConstraint("tenant_id", name=op.f("uq_tenant_schemas_tenant_id")),
        schema="node",
    )
    op.create_table(
        "usage_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_role", sa.Text(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("value", sa.Numeric(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_events")),
        sa.UniqueConstraint("tenant_role", "meter", "key", name=op.f("uq_usage_events_tenant_role_meter_key")),
        schema="node",
    )
    make_tenants_role()
    open_schema("node", tenants=True)
    grant_application("SELECT, INSERT, UPDATE, DELETE", "node", "dead_letters")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "node", "jobs")
    own_rows_only(
        "SELECT, INSERT, UPDATE (state, lease_token, lease_until, progress_done, progress_total, progress_note, finished_at, updated_at)",
        "node",
        "jobs",
    )
    grant_application("SELECT", "node", "tenant_schemas")
    grant_application("SELECT", "node", "usage_events")
    own_rows_only("SELECT, INSERT", "node", "usage_events")
