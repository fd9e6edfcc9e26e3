"""What tenant has more since 0001: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.operations import grant_tenant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take 40 steps."""
    op.create_table(
        "audit_seals",
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
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_seals")),
    )
    op.create_index("ix_audit_seals_last_event", "audit_seals", ["last_event"], unique=False)
    op.add_column("import_staging", sa.Column("facility_uuid", sa.Uuid(), nullable=True))
    op.add_column("import_staging", sa.Column("entity_uuid", sa.Uuid(), nullable=True))
    op.add_column("import_staging", sa.Column("patient_uuid", sa.Uuid(), nullable=True))
    op.add_column("import_staging", sa.Column("row_hash", sa.LargeBinary(), nullable=True))
    op.add_column("import_staging", sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("import_staging", sa.Column("date_1", sa.Date(), nullable=True))
    op.add_column("import_staging", sa.Column("date_2", sa.Date(), nullable=True))
    op.add_column("import_staging", sa.Column("date_3", sa.Date(), nullable=True))
    op.add_column("import_staging", sa.Column("moment_1", sa.DateTime(timezone=True), nullable=True))
    op.add_column("import_staging", sa.Column("moment_2", sa.DateTime(timezone=True), nullable=True))
    op.add_column("import_staging", sa.Column("whole_1", sa.Integer(), nullable=True))
    op.add_column("import_staging", sa.Column("number_1", sa.Float(), nullable=True))
    op.add_column("import_staging", sa.Column("text_1", sa.Text(), nullable=True))
    op.add_column("import_staging", sa.Column("text_2", sa.Text(), nullable=True))
    op.add_column("import_staging", sa.Column("text_3", sa.Text(), nullable=True))
    op.add_column("import_staging", sa.Column("text_4", sa.Text(), nullable=True))
    op.create_table(
        "import_touched",
        sa.Column("import_uuid", sa.Uuid(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("import_uuid", "patient_uuid", "kind", name=op.f("pk_import_touched")),
    )
    op.add_column("imports", sa.Column("people_first", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("imports", sa.Column("failure", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.create_table(
        "linkage_candidates",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("first_uuid", sa.Uuid(), nullable=False),
        sa.Column("second_uuid", sa.Uuid(), nullable=False),
        sa.Column("probability", sa.Float(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("evidence_hash", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'merged', 'refused', 'gone')", name=op.f("ck_linkage_candidates_state")
        ),
        sa.CheckConstraint("first_uuid < second_uuid", name=op.f("ck_linkage_candidates_pair")),
        sa.CheckConstraint("probability BETWEEN 0 AND 1", name=op.f("ck_linkage_candidates_probability")),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_linkage_candidates")),
    )
    op.create_index("ix_linkage_candidates_state", "linkage_candidates", ["state", "probability"], unique=False)
    op.create_index("uq_linkage_candidates_pair", "linkage_candidates", ["first_uuid", "second_uuid"], unique=True)
    op.create_table(
        "patient_identities",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("canonical_uuid", sa.Uuid(), nullable=False),
        sa.Column("through_uuid", sa.Uuid(), nullable=True),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "known_to IS NULL OR known_to >= known_from", name=op.f("ck_patient_identities_known_order")
        ),
        sa.CheckConstraint("patient_uuid <> canonical_uuid", name=op.f("ck_patient_identities_two")),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_patient_identities")),
    )
    op.create_index("ix_patient_identities_canonical_uuid", "patient_identities", ["canonical_uuid"], unique=False)
    op.create_index("ix_patient_identities_patient_uuid", "patient_identities", ["patient_uuid"], unique=False)
    op.create_index(
        "uq_patient_identities_patient_uuid_open",
        "patient_identities",
        ["patient_uuid"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "quality_measures",
        sa.Column("report_uuid", sa.Uuid(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("numerator", sa.BigInteger(), nullable=False),
        sa.Column("denominator", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("numerator BETWEEN 0 AND denominator", name=op.f("ck_quality_measures_share")),
        sa.PrimaryKeyConstraint("report_uuid", "measure", name=op.f("pk_quality_measures")),
    )
    op.create_table(
        "quality_reports",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("run_uuid", sa.Uuid(), nullable=False),
        sa.Column("import_uuid", sa.Uuid(), nullable=True),
        sa.Column("facility_uuid", sa.Uuid(), nullable=True),
        sa.Column("data_date", sa.Date(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("definitions", sa.Text(), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=True),
        sa.Column(
            "dimensions", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("refused", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_quality_reports")),
    )
    op.create_index("ix_quality_reports_facility_uuid", "quality_reports", ["facility_uuid", "made_at"], unique=False)
    op.create_index("ix_quality_reports_import_uuid", "quality_reports", ["import_uuid"], unique=False)
    op.create_index("ix_quality_reports_made_at", "quality_reports", ["made_at"], unique=False)
    op.create_index("ix_quality_reports_run_uuid", "quality_reports", ["run_uuid"], unique=False)
    op.create_table(
        "radet_snapshots",
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("data_date", sa.Date(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("import_uuid", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_date", sa.Date(), nullable=True),
        sa.Column("previous_status", sa.Text(), nullable=True),
        sa.Column("previous_date", sa.Date(), nullable=True),
        sa.Column("last_pickup", sa.Date(), nullable=True),
        sa.Column("days_supplied", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "status IN ('active', 'active_restart', 'iit', 'stopped', 'died', 'transferred_out', 'unknown')",
            name=op.f("ck_radet_snapshots_status"),
        ),
        sa.PrimaryKeyConstraint("patient_uuid", "data_date", name=op.f("pk_radet_snapshots")),
    )
    op.create_index("ix_radet_snapshots_data_date", "radet_snapshots", ["data_date", "facility_uuid"], unique=False)
    op.create_index("ix_radet_snapshots_import_uuid", "radet_snapshots", ["import_uuid"], unique=False)
    op.add_column("worklists", sa.Column("due_within", sa.Integer(), nullable=True))
    grant_tenant(
        "SELECT, INSERT, UPDATE, DELETE",
        "import_touched",
        "linkage_candidates",
        "patient_identities",
        "quality_measures",
        "quality_reports",
        "radet_snapshots",
    )
    grant_tenant("SELECT, INSERT", "audit_seals")
