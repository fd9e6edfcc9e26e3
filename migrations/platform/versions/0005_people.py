"""Additions to platform after 0004: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.operations import grant_application, guard_rows, make_document_guards, regrant_application

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 164 steps."""
    make_document_guards()
    op.create_table(
        "billing_accounts",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("legal_name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("tax_name", sa.Text(), nullable=False),
        sa.Column("tax_rate", sa.Numeric(), nullable=False),
        sa.Column("tax_exemption", sa.Text(), nullable=True),
        sa.Column("tax_id", sa.Text(), nullable=True),
        sa.Column("purchase_order", sa.Text(), nullable=True),
        sa.Column("due_days", sa.Integer(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("extras_off", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.CheckConstraint("provider IN ('manual', 'stripe')", name=op.f("ck_billing_accounts_provider")),
        sa.CheckConstraint("due_days BETWEEN 0 AND 366", name=op.f("ck_billing_accounts_due_days")),
        sa.CheckConstraint("tax_rate >= 0 AND tax_rate <= 100", name=op.f("ck_billing_accounts_tax_rate")),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_billing_accounts")),
        schema="platform",
    )
    op.create_table(
        "breaker_overrides",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_breaker_overrides_state")),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_breaker_overrides")),
        schema="platform",
    )
    op.create_table(
        "cost_budgets",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("thresholds", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount > 0", name=op.f("ck_cost_budgets_amount")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cost_budgets")),
        schema="platform",
    )
    op.create_index(
        "uq_cost_budgets_present",
        "cost_budgets",
        ["tenant_id"],
        unique=True,
        schema="platform",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "cost_notices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("expected", sa.Numeric(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_by", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('unusual_day', 'budget')", name=op.f("ck_cost_notices_kind")),
        sa.CheckConstraint("(seen_at IS NULL) = (seen_by IS NULL)", name=op.f("ck_cost_notices_seen")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cost_notices")),
        sa.UniqueConstraint(
            "kind", "tenant_id", "day", "threshold", name=op.f("uq_cost_notices_kind_tenant_id_day_threshold")
        ),
        schema="platform",
    )
    op.create_index(
        "ix_cost_notices_unseen",
        "cost_notices",
        ["created_at"],
        unique=False,
        schema="platform",
        postgresql_where=sa.text("seen_at IS NULL"),
    )
    op.create_table(
        "cost_tables",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("rates", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_cost_tables")),
        schema="platform",
    )
    op.create_table(
        "error_groups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("frames", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("state_by", sa.Text(), nullable=True),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopened", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("(state = 'open') = (state_at IS NULL)", name=op.f("ck_error_groups_state_at")),
        sa.CheckConstraint("role IN ('api', 'worker')", name=op.f("ck_error_groups_role")),
        sa.CheckConstraint("state IN ('open', 'resolved', 'ignored')", name=op.f("ck_error_groups_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_error_groups")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_error_groups_fingerprint")),
        schema="platform",
    )
    op.create_index(
        "ix_error_groups_state_last_seen", "error_groups", ["state", "last_seen"], unique=False, schema="platform"
    )
    op.create_table(
        "feature_flags",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_feature_flags")),
        schema="platform",
    )
    op.create_table(
        "flag_changes",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_flag_changes")),
        schema="platform",
    )
    op.create_index("ix_flag_changes_name_number", "flag_changes", ["name", "number"], unique=False, schema="platform")
    op.create_table(
        "idempotency_answers",
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("has_body", sa.Boolean(), nullable=False),
        sa.Column("location", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key_digest", name=op.f("pk_idempotency_answers")),
        schema="platform",
    )
    op.create_index(
        "ix_idempotency_answers_expires_at", "idempotency_answers", ["expires_at"], unique=False, schema="platform"
    )
    op.create_table(
        "job_limits",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("at_once", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("at_once >= 1", name=op.f("ck_job_limits_at_once")),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_job_limits")),
        schema="platform",
    )
    op.create_table(
        "job_pauses",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("target", name=op.f("pk_job_pauses")),
        schema="platform",
    )
    op.create_table(
        "maintenance_notice",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_maintenance_notice_only_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_maintenance_notice")),
        schema="platform",
    )
    op.create_table(
        "moved_uses",
        sa.Column("use_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("counts_in", sa.Text(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("use_id", name=op.f("pk_moved_uses")),
        schema="platform",
    )
    op.create_index("ix_moved_uses_tenant_id", "moved_uses", ["tenant_id"], unique=False, schema="platform")
    op.create_index(
        "ix_moved_uses_uncounted",
        "moved_uses",
        ["recorded_at"],
        unique=False,
        schema="platform",
        postgresql_where=sa.text("counts_in IS NOT NULL"),
    )
    op.create_table(
        "number_series",
        sa.Column("series", sa.Text(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("series", name=op.f("pk_number_series")),
        schema="platform",
    )
    op.create_table(
        "people",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("operator_role", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("password_set_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("deactivated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "operator_role IN ('platform_admin', 'platform_support')", name=op.f("ck_people_operator_role")
        ),
        sa.CheckConstraint("state IN ('active', 'deactivated')", name=op.f("ck_people_state")),
        sa.CheckConstraint("email = lower(email) AND length(email) <= 254", name=op.f("ck_people_email")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        sa.UniqueConstraint("email", name=op.f("uq_people_email")),
        schema="platform",
    )
    op.create_table(
        "plans",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint("code ~ '^[a-z][a-z0-9_-]{0,39}$'", name=op.f("ck_plans_code")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plans")),
        sa.UniqueConstraint("code", name=op.f("uq_plans_code")),
        schema="platform",
    )
    op.create_table(
        "process_reports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("process", sa.Integer(), nullable=False),
        sa.Column("instances", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("role IN ('api', 'worker')", name=op.f("ck_process_reports_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_process_reports")),
        schema="platform",
    )
    op.create_table(
        "provider_calls",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("own_id", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("turn", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=True),
        sa.Column("meter", sa.Text(), nullable=True),
        sa.Column("quantity", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("method IN ('post', 'delete')", name=op.f("ck_provider_calls_method")),
        sa.CheckConstraint("state IN ('waiting', 'done', 'failed', 'dropped')", name=op.f("ck_provider_calls_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_calls")),
        sa.UniqueConstraint("idempotency_key", name=op.f("uq_provider_calls_idempotency_key")),
        schema="platform",
    )
    op.create_index(
        "ix_provider_calls_failed",
        "provider_calls",
        ["id"],
        unique=False,
        schema="platform",
        postgresql_where=sa.text("state = 'failed'"),
    )
    op.create_index(
        "ix_provider_calls_usage",
        "provider_calls",
        ["tenant_id", "hour"],
        unique=False,
        schema="platform",
        postgresql_where=sa.text("kind = 'meter_event'"),
    )
    op.create_index(
        "ix_provider_calls_waiting",
        "provider_calls",
        ["lane", "id"],
        unique=False,
        schema="platform",
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "provider_cursors",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_provider_cursors")),
        schema="platform",
    )
    op.create_table(
        "provider_differences",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("own_id", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("ours", sa.Text(), nullable=False),
        sa.Column("theirs", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('escalated', 'mending', 'mended', 'gone', 'closed')", name=op.f("ck_provider_differences_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_differences")),
        schema="platform",
    )
    op.create_index(
        "uq_provider_differences_open",
        "provider_differences",
        ["kind", "own_id", "cause"],
        unique=True,
        schema="platform",
        postgresql_where=sa.text("state IN ('escalated', 'mending')"),
    )
    op.create_table(
        "provider_events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("thin", sa.Boolean(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.CheckConstraint("source IN ('webhook', 'list')", name=op.f("ck_provider_events_source")),
        sa.CheckConstraint(
            "state IN ('waiting', 'applied', 'ignored', 'failed')", name=op.f("ck_provider_events_state")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_provider_events")),
        schema="platform",
    )
    op.create_index(
        "ix_provider_events_received_at", "provider_events", ["received_at"], unique=False, schema="platform"
    )
    op.create_index(
        "ix_provider_events_waiting",
        "provider_events",
        ["due_at"],
        unique=False,
        schema="platform",
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "provider_objects",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("own_id", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("kind", "own_id", name=op.f("pk_provider_objects")),
        sa.UniqueConstraint("kind", "provider_id", name=op.f("uq_provider_objects_kind_provider_id")),
        schema="platform",
    )
    op.create_index("ix_provider_objects_tenant_id", "provider_objects", ["tenant_id"], unique=False, schema="platform")
    op.create_table(
        "provider_usage",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("after_batch", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.BigInteger(), nullable=False),
        sa.Column("carried", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "meter", name=op.f("pk_provider_usage")),
        schema="platform",
    )
    op.create_table(
        "quota_levels",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("used", sa.Numeric(), nullable=False),
        sa.Column("quota", sa.Numeric(), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_over", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "meter", "period_start", name=op.f("pk_quota_levels")),
        schema="platform",
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sign_in_failures")),
        schema="platform",
    )
    op.create_table(
        "sso_logout_tokens",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sso_logout_tokens")),
        schema="platform",
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("started_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("invoiced_until", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint("ends_on > started_on", name=op.f("ck_subscriptions_ends_on")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
        sa.UniqueConstraint("tenant_id", "started_on", name=op.f("uq_subscriptions_tenant_id_started_on")),
        schema="platform",
    )
    op.create_table(
        "usage_batches",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("database", sa.Text(), nullable=False),
        sa.Column("after_transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("after_id", sa.Uuid(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.Uuid(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_usage_batches")),
        sa.UniqueConstraint(
            "database",
            "after_transaction_id",
            "after_id",
            name=op.f("uq_usage_batches_database_after_transaction_id_after_id"),
        ),
        schema="platform",
    )
    op.create_table(
        "usage_hours",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("meter", sa.Text(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("batch", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("dimensions_key", sa.Text(), nullable=False),
        sa.Column("dimensions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("total", sa.Numeric(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("maximum", sa.Numeric(), nullable=False),
        sa.Column("latest", sa.Numeric(), nullable=True),
        sa.Column("latest_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "meter", "hour", "batch", "dimensions_key", name=op.f("pk_usage_hours")),
        schema="platform",
    )
    op.create_index("ix_usage_hours_hour", "usage_hours", ["hour"], unique=False, schema="platform")
    op.create_table(
        "usage_ledgers",
        sa.Column("database", sa.Text(), nullable=False),
        sa.Column("transaction_id", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "last_id", sa.Uuid(), server_default=sa.text("'00000000-0000-0000-0000-000000000000'"), nullable=False
        ),
        sa.Column("complete_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("carries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("restored_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("database", name=op.f("pk_usage_ledgers")),
        schema="platform",
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("series", sa.Text(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("period_start", sa.Date(), nullable=False),
        sa.Column("period_end", sa.Date(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("account", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("issuer", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("subtotal", sa.Numeric(), nullable=False),
        sa.Column("tax", sa.Numeric(), nullable=False),
        sa.Column("total", sa.Numeric(), nullable=False),
        sa.Column("corrects", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("issued_by", sa.Text(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("voided_on", sa.Date(), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("(kind = 'credit_note') = (corrects IS NOT NULL)", name=op.f("ck_invoices_corrects")),
        sa.CheckConstraint("(state = 'draft') = (number IS NULL)", name=op.f("ck_invoices_number")),
        sa.CheckConstraint("kind IN ('invoice', 'late_use', 'credit_note')", name=op.f("ck_invoices_kind")),
        sa.CheckConstraint("state IN ('draft', 'final', 'paid', 'void')", name=op.f("ck_invoices_state")),
        sa.CheckConstraint("(series IS NULL) = (number IS NULL)", name=op.f("ck_invoices_series")),
        sa.CheckConstraint("total = subtotal + tax", name=op.f("ck_invoices_total")),
        sa.ForeignKeyConstraint(["corrects"], ["platform.invoices.id"], name=op.f("fk_invoices_corrects")),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["platform.subscriptions.id"], name=op.f("fk_invoices_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("series", "number", name=op.f("uq_invoices_series_number")),
        schema="platform",
    )
    op.create_index(
        "ix_invoices_due_on",
        "invoices",
        ["due_on"],
        unique=False,
        schema="platform",
        postgresql_where=sa.text("state = 'final'"),
    )
    op.create_index("ix_invoices_tenant_id", "invoices", ["tenant_id", "id"], unique=False, schema="platform")
    op.create_index(
        "uq_invoices_late_use",
        "invoices",
        ["subscription_id", "currency"],
        unique=True,
        schema="platform",
        postgresql_where=sa.text("kind = 'late_use' AND state = 'draft'"),
    )
    op.create_index(
        "uq_invoices_period",
        "invoices",
        ["subscription_id", "period_start"],
        unique=True,
        schema="platform",
        postgresql_where=sa.text("kind = 'invoice' AND state <> 'void'"),
    )
    op.create_table(
        "memberships",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("roles", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("facility_ids", sa.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("states", sa.ARRAY(sa.Text()), nullable=True),
        sa.Column("assigned_only", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sso_only", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("invited_name", sa.Text(), nullable=True),
        sa.Column("invited_language", sa.Text(), nullable=True),
        sa.Column("deactivated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["platform.people.id"], name=op.f("fk_memberships_person_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.id"], name=op.f("fk_memberships_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("person_id", "tenant_id", name=op.f("pk_memberships")),
        schema="platform",
    )
    op.create_index("ix_memberships_tenant_id", "memberships", ["tenant_id"], unique=False, schema="platform")
    op.create_table(
        "one_time_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("purpose IN ('invitation', 'reset')", name=op.f("ck_one_time_links_purpose")),
        sa.ForeignKeyConstraint(["person_id"], ["platform.people.id"], name=op.f("fk_one_time_links_person_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.id"], name=op.f("fk_one_time_links_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_links")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_one_time_links_secret_hash")),
        schema="platform",
    )
    op.create_index("ix_one_time_links_person_id", "one_time_links", ["person_id"], unique=False, schema="platform")
    op.create_table(
        "pending_sign_ins",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("wrong", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("purpose IN ('code', 'set_up')", name=op.f("ck_pending_sign_ins_purpose")),
        sa.ForeignKeyConstraint(["person_id"], ["platform.people.id"], name=op.f("fk_pending_sign_ins_person_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_pending_sign_ins")),
        schema="platform",
    )
    op.create_index(
        "ix_pending_sign_ins_expires_at", "pending_sign_ins", ["expires_at"], unique=False, schema="platform"
    )
    op.create_index("ix_pending_sign_ins_person_id", "pending_sign_ins", ["person_id"], unique=False, schema="platform")
    op.create_table(
        "plan_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("terms", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["plan_id"], ["platform.plans.id"], name=op.f("fk_plan_versions_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_versions")),
        sa.UniqueConstraint("plan_id", "number", name=op.f("uq_plan_versions_plan_id_number")),
        schema="platform",
    )
    op.create_table(
        "plugin_permissions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plugin", sa.Text(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.id"], name=op.f("fk_plugin_permissions_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plugin_permissions")),
        schema="platform",
    )
    op.create_table(
        "recovery_codes",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["platform.people.id"], name=op.f("fk_recovery_codes_person_id")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_recovery_codes")),
        schema="platform",
    )
    op.create_index("ix_recovery_codes_person_id", "recovery_codes", ["person_id"], unique=False, schema="platform")
    op.create_table(
        "role_versions",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("settled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.id"], name=op.f("fk_role_versions_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_role_versions")),
        schema="platform",
    )
    op.create_table(
        "second_factors",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("secret_enc", sa.LargeBinary(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("candidate_enc", sa.LargeBinary(), nullable=True),
        sa.Column("candidate_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["platform.people.id"], name=op.f("fk_second_factors_person_id")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_second_factors")),
        schema="platform",
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("signed_in_by", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["platform.people.id"], name=op.f("fk_sessions_person_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.id"], name=op.f("fk_sessions_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_sessions_secret_hash")),
        schema="platform",
    )
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"], unique=False, schema="platform")
    op.create_index("ix_sessions_person_id", "sessions", ["person_id"], unique=False, schema="platform")
    op.create_table(
        "sign_in_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("copied_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["platform.people.id"], name=op.f("fk_sign_in_events_person_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.id"], name=op.f("fk_sign_in_events_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_events")),
        schema="platform",
    )
    op.create_index(
        "ix_sign_in_events_person_id_id", "sign_in_events", ["person_id", "id"], unique=False, schema="platform"
    )
    op.create_index(
        "ix_sign_in_events_waiting",
        "sign_in_events",
        ["id"],
        unique=False,
        schema="platform",
        postgresql_where=sa.text("copied_at IS NULL"),
    )
    op.create_table(
        "sign_in_rules",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("roles", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.id"], name=op.f("fk_sign_in_rules_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_sign_in_rules")),
        schema="platform",
    )
    op.create_table(
        "sso_domains",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("challenge", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("proved_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.id"], name=op.f("fk_sso_domains_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sso_domains")),
        sa.UniqueConstraint("tenant_id", "domain", name=op.f("uq_sso_domains_tenant_id_domain")),
        schema="platform",
    )
    op.create_index(
        "uq_sso_domains_proved",
        "sso_domains",
        ["domain"],
        unique=True,
        schema="platform",
        postgresql_where=sa.text("proved_at IS NOT NULL"),
    )
    op.create_table(
        "sso_flows",
        sa.Column("state_digest", sa.LargeBinary(), nullable=False),
        sa.Column("browser_digest", sa.LargeBinary(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("code_verifier", sa.Text(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("following", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.id"], name=op.f("fk_sso_flows_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("state_digest", name=op.f("pk_sso_flows")),
        schema="platform",
    )
    op.create_index("ix_sso_flows_expires_at", "sso_flows", ["expires_at"], unique=False, schema="platform")
    op.create_table(
        "sso_identities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["platform.people.id"], name=op.f("fk_sso_identities_person_id")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.id"], name=op.f("fk_sso_identities_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sso_identities")),
        sa.UniqueConstraint("tenant_id", "issuer", "subject", name=op.f("uq_sso_identities_tenant_id_issuer_subject")),
        schema="platform",
    )
    op.create_index("ix_sso_identities_person_id", "sso_identities", ["person_id"], unique=False, schema="platform")
    op.create_table(
        "sso_providers",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=True),
        sa.Column("roles_claim", sa.Text(), nullable=False),
        sa.Column("role_mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("default_role", sa.Text(), nullable=True),
        sa.Column("enforced", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("break_glass_person_id", sa.Uuid(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["break_glass_person_id"], ["platform.people.id"], name=op.f("fk_sso_providers_break_glass_person_id")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.id"], name=op.f("fk_sso_providers_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_sso_providers")),
        schema="platform",
    )
    op.create_table(
        "tenant_origins",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint("length(origin) <= 300", name=op.f("ck_tenant_origins_origin")),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.id"], name=op.f("fk_tenant_origins_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", "origin", name=op.f("pk_tenant_origins")),
        schema="platform",
    )
    op.create_index("ix_tenant_origins_origin", "tenant_origins", ["origin"], unique=False, schema="platform")
    op.create_table(
        "credits",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("granted_on", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_credits_amount")),
        sa.CheckConstraint("expires_on > granted_on", name=op.f("ck_credits_expires_on")),
        sa.CheckConstraint("priority BETWEEN 0 AND 100", name=op.f("ck_credits_priority")),
        sa.ForeignKeyConstraint(["invoice_id"], ["platform.invoices.id"], name=op.f("fk_credits_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credits")),
        schema="platform",
    )
    op.create_index("ix_credits_tenant_id", "credits", ["tenant_id", "currency"], unique=False, schema="platform")
    op.create_table(
        "dunning_notices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("after_days", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.Column("mailed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("action IN ('reminder', 'extras_off', 'extras_on')", name=op.f("ck_dunning_notices_action")),
        sa.ForeignKeyConstraint(["invoice_id"], ["platform.invoices.id"], name=op.f("fk_dunning_notices_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dunning_notices")),
        schema="platform",
    )
    op.create_index(
        "ix_dunning_notices_tenant_id", "dunning_notices", ["tenant_id", "taken_on"], unique=False, schema="platform"
    )
    op.create_index(
        "ix_dunning_notices_unmailed",
        "dunning_notices",
        ["tenant_id"],
        unique=False,
        schema="platform",
        postgresql_where=sa.text("mailed_at IS NULL"),
    )
    op.create_index(
        "uq_dunning_notices_reminder",
        "dunning_notices",
        ["invoice_id", "after_days"],
        unique=True,
        schema="platform",
        postgresql_where=sa.text("action = 'reminder'"),
    )
    op.create_table(
        "invoice_letters",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("mailed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["invoice_id"], ["platform.invoices.id"], name=op.f("fk_invoice_letters_invoice_id")),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_invoice_letters")),
        schema="platform",
    )
    op.create_index(
        "ix_invoice_letters_unmailed",
        "invoice_letters",
        ["tenant_id"],
        unique=False,
        schema="platform",
        postgresql_where=sa.text("mailed_at IS NULL"),
    )
    op.create_table(
        "invoice_lines",
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("meter", sa.Text(), nullable=True),
        sa.Column("aggregation", sa.Text(), nullable=True),
        sa.Column("quantity", sa.Numeric(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("days", sa.Integer(), nullable=True),
        sa.Column("of_days", sa.Integer(), nullable=True),
        sa.Column("plan_version_id", sa.Uuid(), nullable=True),
        sa.Column("steps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reference", sa.Uuid(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('base', 'add_on', 'usage', 'late_use', 'credit', 'carried', 'tax', 'correction')",
            name=op.f("ck_invoice_lines_kind"),
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["platform.invoices.id"], name=op.f("fk_invoice_lines_invoice_id")),
        sa.PrimaryKeyConstraint("invoice_id", "position", name=op.f("pk_invoice_lines")),
        schema="platform",
    )
    op.create_table(
        "payments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_payments_amount")),
        sa.ForeignKeyConstraint(["invoice_id"], ["platform.invoices.id"], name=op.f("fk_payments_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payments")),
        sa.UniqueConstraint("method", "reference", name=op.f("uq_payments_method_reference")),
        schema="platform",
    )
    op.create_index("ix_payments_invoice_id", "payments", ["invoice_id"], unique=False, schema="platform")
    op.create_table(
        "sso_sessions",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("provider_session", sa.Text(), nullable=True),
        sa.Column("sealed_id_token", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["platform.sessions.id"], name=op.f("fk_sso_sessions_session_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["platform.tenants.id"], name=op.f("fk_sso_sessions_tenant_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_sso_sessions")),
        schema="platform",
    )
    op.create_index(
        "ix_sso_sessions_subject", "sso_sessions", ["tenant_id", "issuer", "subject"], unique=False, schema="platform"
    )
    op.create_table(
        "subscription_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subscription_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("plan_version_id", sa.Uuid(), nullable=False),
        sa.Column("add_ons", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("overrides", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_version_id"], ["platform.plan_versions.id"], name=op.f("fk_subscription_changes_plan_version_id")
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"], ["platform.subscriptions.id"], name=op.f("fk_subscription_changes_subscription_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_changes")),
        sa.UniqueConstraint("subscription_id", "number", name=op.f("uq_subscription_changes_subscription_id_number")),
        schema="platform",
    )
    op.create_table(
        "credit_uses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("credit_id", sa.Uuid(), nullable=False),
        sa.Column("invoice_id", sa.Uuid(), nullable=True),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.Column("reason", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("invoice_id IS NOT NULL OR reason <> ''", name=op.f("ck_credit_uses_reason")),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_credit_uses_amount")),
        sa.ForeignKeyConstraint(["credit_id"], ["platform.credits.id"], name=op.f("fk_credit_uses_credit_id")),
        sa.ForeignKeyConstraint(["invoice_id"], ["platform.invoices.id"], name=op.f("fk_credit_uses_invoice_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_uses")),
        schema="platform",
    )
    op.create_index("ix_credit_uses_credit_id", "credit_uses", ["credit_id"], unique=False, schema="platform")
    op.create_index("ix_credit_uses_invoice_id", "credit_uses", ["invoice_id"], unique=False, schema="platform")
    grant_application("SELECT, INSERT, UPDATE", "platform", "billing_accounts")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "breaker_overrides")
    grant_application("SELECT, INSERT, UPDATE (ended_at)", "platform", "cost_budgets")
    grant_application("SELECT, INSERT, UPDATE (seen_at, seen_by)", "platform", "cost_notices")
    grant_application("SELECT, INSERT", "platform", "cost_tables")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "error_groups")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "feature_flags")
    grant_application("SELECT, INSERT", "platform", "flag_changes")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "idempotency_answers")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "job_limits")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "job_pauses")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "maintenance_notice")
    grant_application("SELECT, UPDATE (counts_in)", "platform", "moved_uses")
    grant_application("SELECT, INSERT, UPDATE", "platform", "number_series")
    guard_rows("guard_number", "platform", "number_series")
    grant_application("SELECT, INSERT, UPDATE", "platform", "people")
    grant_application("SELECT, INSERT", "platform", "plans")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "process_reports")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "provider_calls")
    grant_application("SELECT, INSERT, UPDATE (batch, at)", "platform", "provider_cursors")
    grant_application("SELECT, INSERT, UPDATE", "platform", "provider_differences")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "provider_events")
    grant_application("SELECT, INSERT, UPDATE (provider_id, detail)", "platform", "provider_objects")
    grant_application("SELECT, INSERT, UPDATE (sent, carried)", "platform", "provider_usage")
    grant_application("SELECT, INSERT, UPDATE (level, used, quota, announced_at, is_over)", "platform", "quota_levels")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "sign_in_failures")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "sso_logout_tokens")
    grant_application("SELECT, INSERT, UPDATE (ends_on, invoiced_until)", "platform", "subscriptions")
    guard_rows("guard_subscription", "platform", "subscriptions")
    # allow: it takes no right: what could be done before is among what is given
    regrant_application("SELECT, UPDATE (state, updated_at)", "platform", "tenants")
    grant_application("SELECT, INSERT", "platform", "usage_batches")
    guard_rows("reject_change", "platform", "usage_batches")
    grant_application("SELECT, INSERT", "platform", "usage_hours")
    guard_rows("reject_change", "platform", "usage_hours")
    grant_application(
        "SELECT, INSERT, UPDATE (transaction_id, last_id, complete_until, checked_at, failed_at, error, restored_at)",
        "platform",
        "usage_ledgers",
    )
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "invoices")
    guard_rows("guard_invoice", "platform", "invoices")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "memberships")
    grant_application("SELECT, INSERT, UPDATE", "platform", "one_time_links")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "pending_sign_ins")
    grant_application("SELECT, INSERT", "platform", "plan_versions")
    guard_rows("reject_change", "platform", "plan_versions")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "plugin_permissions")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "recovery_codes")
    grant_application("SELECT, INSERT, UPDATE", "platform", "role_versions")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "second_factors")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "sessions")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "sign_in_events")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "sign_in_rules")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "sso_domains")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "sso_flows")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "sso_identities")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "sso_providers")
    grant_application("SELECT, INSERT, DELETE", "platform", "tenant_origins")
    grant_application("SELECT, INSERT", "platform", "credits")
    guard_rows("reject_change", "platform", "credits")
    grant_application("SELECT, INSERT, UPDATE (mailed_at)", "platform", "dunning_notices")
    grant_application("SELECT, INSERT, UPDATE (mailed_at)", "platform", "invoice_letters")
    grant_application("SELECT, INSERT, DELETE", "platform", "invoice_lines")
    guard_rows("guard_invoice_line", "platform", "invoice_lines")
    grant_application("SELECT, INSERT", "platform", "payments")
    guard_rows("reject_change", "platform", "payments")
    grant_application("SELECT, INSERT, UPDATE, DELETE", "platform", "sso_sessions")
    grant_application("SELECT, INSERT", "platform", "subscription_changes")
    guard_rows("reject_change", "platform", "subscription_changes")
    grant_application("SELECT, INSERT", "platform", "credit_uses")
    guard_rows("reject_change", "platform", "credit_uses")
