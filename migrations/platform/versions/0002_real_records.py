"""What platform has more since 0001: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.operations import grant_application

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 21 steps."""
    op.create_table(
        "audit_anchors",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("seal", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("kind", sa.Text(), server_default=sa.text("'head'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("anchored_by", sa.Text(), nullable=False),
        sa.Column("anchored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("(kind = 'reset') = (reason IS NOT NULL)", name=op.f("ck_audit_anchors_reason")),
        sa.CheckConstraint("kind IN ('head', 'reset')", name=op.f("ck_audit_anchors_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_anchors")),
        schema="platform",
    )
    op.create_index("ix_audit_anchors_tenant_id", "audit_anchors", ["tenant_id", "id"], unique=False, schema="platform")
    op.create_table(
        "gone_audit_events",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_uuid", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "event_id", name=op.f("pk_gone_audit_events")),
        schema="platform",
    )
    op.create_table(
        "gone_audit_seals",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_event", sa.BigInteger(), nullable=False),
        sa.Column("last_event", sa.BigInteger(), nullable=False),
        sa.Column("members", postgresql.INT8MULTIRANGE(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("settled_through", sa.BigInteger(), nullable=False),
        sa.Column("rows_digest", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "number", name=op.f("pk_gone_audit_seals")),
        schema="platform",
    )
    op.create_table(
        "retired_schemas",
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("database", sa.Text(), nullable=False),
        sa.Column("role_name", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("rows_left", sa.Boolean(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("drop_after", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("reason IN ('moved', 'restored')", name=op.f("ck_retired_schemas_reason")),
        sa.PrimaryKeyConstraint("schema_name", name=op.f("pk_retired_schemas")),
        sa.UniqueConstraint("role_name", name=op.f("uq_retired_schemas_role_name")),
        schema="platform",
    )
    op.create_index(
        op.f("ix_retired_schemas_tenant_id"), "retired_schemas", ["tenant_id"], unique=False, schema="platform"
    )
    op.create_table(
        "tenant_moves",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("database", sa.Text(), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("step IN ('copying', 'following', 'switching')", name=op.f("ck_tenant_moves_step")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_tenant_moves")),
        schema="platform",
    )
    op.create_table(
        "tenant_tombstones",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("schema_name", sa.Text(), nullable=False),
        sa.Column("database", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=True),
        sa.Column("purge_began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purged_by", sa.Text(), nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("audit_events", sa.Integer(), nullable=False),
        sa.Column("audit_seals", sa.Integer(), nullable=False),
        sa.Column("audit_digest", sa.LargeBinary(), nullable=True),
        sa.Column("audit_problems", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_tenant_tombstones")),
        schema="platform",
    )
    op.create_index(op.f("ix_tenant_tombstones_slug"), "tenant_tombstones", ["slug"], unique=False, schema="platform")
    op.add_column("tenants", sa.Column("phase", sa.Text(), nullable=True), schema="platform")
    op.add_column("tenants", sa.Column("phase_since", sa.DateTime(timezone=True), nullable=True), schema="platform")
    op.add_column("tenants", sa.Column("phase_by", sa.Text(), nullable=True), schema="platform")
    op.add_column("tenants", sa.Column("delete_after", sa.DateTime(timezone=True), nullable=True), schema="platform")
    op.add_column("tenants", sa.Column("state_before", sa.Text(), nullable=True), schema="platform")
    # allow: one row for each tenant: thousands at most, read in milliseconds
    op.create_check_constraint(
        op.f("ck_tenants_phase"), "tenants", "phase IN ('restoring', 'deleting', 'purging')", schema="platform"
    )
    grant_application("SELECT, INSERT", "platform", "audit_anchors")
    grant_application("SELECT", "platform", "gone_audit_events")
    grant_application("SELECT", "platform", "gone_audit_seals")
    grant_application("SELECT", "platform", "retired_schemas")
    grant_application("SELECT", "platform", "tenant_moves")
    grant_application("SELECT", "platform", "tenant_tombstones")
