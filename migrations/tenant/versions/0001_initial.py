"""The first tables of tenant: rendered by ``python -m migrations.render``."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.operations import grant_tenant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make 27 tables."""
    op.create_table(
        "alerts",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("prediction_uuid", sa.Uuid(), nullable=True),
        sa.Column("alert_type", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("data_date", sa.Date(), nullable=True),
        sa.Column("dedupe_key", sa.Text(), nullable=True),
        sa.Column("assigned_to", sa.Text(), nullable=True),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column("acknowledged_by", sa.Text(), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("voided_by", sa.Text(), nullable=True),
        sa.Column("date_voided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "severity IN ('info', 'low', 'medium', 'high', 'critical')", name=op.f("ck_alerts_severity")
        ),
        sa.CheckConstraint(
            "status IN ('open', 'acknowledged', 'assigned', 'resolved', 'dismissed', 'expired')",
            name=op.f("ck_alerts_status"),
        ),
        sa.CheckConstraint(
            "NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name=op.f("ck_alerts_voided")
        ),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_alerts")),
    )
    op.create_index("ix_alerts_alert_type", "alerts", ["alert_type"], unique=False)
    op.create_index("ix_alerts_created_at", "alerts", ["created_at"], unique=False)
    op.create_index("ix_alerts_patient_uuid", "alerts", ["patient_uuid"], unique=False)
    op.create_index("ix_alerts_severity", "alerts", ["severity"], unique=False)
    op.create_index("ix_alerts_status", "alerts", ["status", "created_at"], unique=False)
    op.create_index(
        "uq_alerts_dedupe_key_open",
        "alerts",
        ["dedupe_key"],
        unique=True,
        postgresql_where=sa.text("dedupe_key IS NOT NULL AND status IN ('open', 'acknowledged', 'assigned')"),
    )
    op.create_table(
        "appointments",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.LargeBinary(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("known_assumed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("data_date", sa.Date(), nullable=False),
        sa.Column("import_uuid", sa.Uuid(), nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("voided_by", sa.Text(), nullable=True),
        sa.Column("date_voided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=True),
        sa.Column("due_date", sa.Date(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "status IN ('scheduled', 'kept', 'missed', 'cancelled')", name=op.f("ck_appointments_status")
        ),
        sa.CheckConstraint(
            "NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name=op.f("ck_appointments_voided")
        ),
        sa.CheckConstraint("known_to IS NULL OR known_to >= known_from", name=op.f("ck_appointments_known_order")),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_appointments")),
    )
    op.create_index("ix_appointments_due_date", "appointments", ["due_date"], unique=False)
    op.create_index("ix_appointments_patient_uuid", "appointments", ["patient_uuid", "due_date"], unique=False)
    op.create_index(
        "uq_appointments_uuid_open", "appointments", ["uuid"], unique=True, postgresql_where=sa.text("known_to IS NULL")
    )
    op.create_table(
        "audit_events",
        sa.Column("event_id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_uuid", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit_events")),
    )
    op.create_index("ix_audit_events_occurred_at", "audit_events", ["occurred_at"], unique=False)
    op.create_index("ix_audit_events_subject_uuid_event_id", "audit_events", ["subject_uuid", "event_id"], unique=False)
    op.create_table(
        "communications",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("prediction_uuid", sa.Uuid(), nullable=True),
        sa.Column("alert_uuid", sa.Uuid(), nullable=True),
        sa.Column("intervention_uuid", sa.Uuid(), nullable=True),
        sa.Column("reply_to_uuid", sa.Uuid(), nullable=True),
        sa.Column("communication_type", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("template", sa.Text(), nullable=True),
        sa.Column("template_version", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("consent_basis", sa.Text(), nullable=True),
        sa.Column("recipient_enc", sa.LargeBinary(), nullable=True),
        sa.Column("recipient_bidx", sa.LargeBinary(), nullable=True),
        sa.Column("body_enc", sa.LargeBinary(), nullable=True),
        sa.Column("dedupe_key", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("provider_message_id", sa.Text(), nullable=True),
        sa.Column("provider_status", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cost", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("scheduled_for", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("voided_by", sa.Text(), nullable=True),
        sa.Column("date_voided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "communication_type IN ('sms', 'whatsapp', 'voice', 'ussd', 'email', 'letter', 'in_person')",
            name=op.f("ck_communications_communication_type"),
        ),
        sa.CheckConstraint(
            "direction = 'inbound' OR consent_basis IS NOT NULL", name=op.f("ck_communications_consent_basis")
        ),
        sa.CheckConstraint("direction IN ('outbound', 'inbound')", name=op.f("ck_communications_direction")),
        sa.CheckConstraint(
            "status IN ('queued', 'held', 'sending', 'sent', 'delivered', 'failed', 'cancelled', 'received', 'read')",
            name=op.f("ck_communications_status"),
        ),
        sa.CheckConstraint(
            "NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name=op.f("ck_communications_voided")
        ),
        sa.CheckConstraint("cost IS NULL OR currency IS NOT NULL", name=op.f("ck_communications_cost")),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_communications")),
    )
    op.create_index("ix_communications_communication_type", "communications", ["communication_type"], unique=False)
    op.create_index("ix_communications_patient_uuid", "communications", ["patient_uuid"], unique=False)
    op.create_index("ix_communications_status", "communications", ["status", "scheduled_for"], unique=False)
    op.create_index(
        "uq_communications_dedupe_key",
        "communications",
        ["dedupe_key"],
        unique=True,
        postgresql_where=sa.text("dedupe_key IS NOT NULL"),
    )
    op.create_index(
        "uq_communications_provider_message_id",
        "communications",
        ["provider", "provider_message_id"],
        unique=True,
        postgresql_where=sa.text("provider_message_id IS NOT NULL"),
    )
    op.create_table(
        "contacts",
        sa.Column("contact_id", sa.Uuid(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("contact_date", sa.Date(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("clinical", sa.Boolean(), nullable=False),
        sa.Column("pickup", sa.Boolean(), nullable=False),
        sa.Column("days_supplied", sa.Integer(), nullable=True),
        sa.Column("next_appointment", sa.Date(), nullable=True),
        sa.Column("regimen", sa.Text(), nullable=True),
        sa.Column("regimen_line", sa.Text(), nullable=True),
        sa.Column("dsd_model", sa.Text(), nullable=True),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("known_assumed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("known_to IS NULL OR known_to > known_from", name=op.f("ck_contacts_known_order")),
        sa.PrimaryKeyConstraint("contact_id", name=op.f("pk_contacts")),
    )
    op.create_index("ix_contacts_facility_uuid", "contacts", ["facility_uuid", "contact_date"], unique=False)
    op.create_index("ix_contacts_patient_uuid", "contacts", ["patient_uuid", "contact_date"], unique=False)
    op.create_index(
        "uq_contacts_patient_uuid_open",
        "contacts",
        ["patient_uuid", "contact_date"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "dispensations",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.LargeBinary(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("known_assumed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("data_date", sa.Date(), nullable=False),
        sa.Column("import_uuid", sa.Uuid(), nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("voided_by", sa.Text(), nullable=True),
        sa.Column("date_voided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("encounter_uuid", sa.Uuid(), nullable=True),
        sa.Column("date_dispensed", sa.Date(), nullable=False),
        sa.Column("days_supplied", sa.Integer(), nullable=True),
        sa.Column("regimen", sa.Text(), nullable=True),
        sa.Column("regimen_line", sa.Text(), nullable=True),
        sa.Column("next_appointment", sa.Date(), nullable=True),
        sa.Column("dsd_model", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name=op.f("ck_dispensations_voided")
        ),
        sa.CheckConstraint("known_to IS NULL OR known_to >= known_from", name=op.f("ck_dispensations_known_order")),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_dispensations")),
    )
    op.create_index("ix_dispensations_date_dispensed", "dispensations", ["date_dispensed"], unique=False)
    op.create_index("ix_dispensations_patient_uuid", "dispensations", ["patient_uuid", "date_dispensed"], unique=False)
    op.create_index(
        "uq_dispensations_uuid_open",
        "dispensations",
        ["uuid"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "encounters",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.LargeBinary(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("known_assumed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("data_date", sa.Date(), nullable=False),
        sa.Column("import_uuid", sa.Uuid(), nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("voided_by", sa.Text(), nullable=True),
        sa.Column("date_voided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("visit_uuid", sa.Uuid(), nullable=True),
        sa.Column("encounter_datetime", sa.DateTime(timezone=True), nullable=False),
        sa.Column("encounter_type", sa.Text(), nullable=True),
        sa.Column("form", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name=op.f("ck_encounters_voided")
        ),
        sa.CheckConstraint("known_to IS NULL OR known_to >= known_from", name=op.f("ck_encounters_known_order")),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_encounters")),
    )
    op.create_index("ix_encounters_encounter_datetime", "encounters", ["encounter_datetime"], unique=False)
    op.create_index("ix_encounters_patient_uuid", "encounters", ["patient_uuid", "encounter_datetime"], unique=False)
    op.create_index(
        "uq_encounters_uuid_open", "encounters", ["uuid"], unique=True, postgresql_where=sa.text("known_to IS NULL")
    )
    op.create_table(
        "facilities",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("datim_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state_province", sa.Text(), nullable=True),
        sa.Column("county_district", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("complete_through", sa.Date(), nullable=True),
        sa.Column("data_date", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_facilities")),
        sa.UniqueConstraint("datim_id", name="uq_facilities_datim_id"),
    )
    op.create_index("ix_facilities_state_province", "facilities", ["state_province"], unique=False)
    op.create_table(
        "import_files",
        sa.Column("import_uuid", sa.Uuid(), nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("blob_key", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("import_uuid", "number", name=op.f("pk_import_files")),
    )
    op.create_table(
        "import_rejections",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("import_uuid", sa.Uuid(), nullable=False),
        sa.Column("file", sa.SmallInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("remedy", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_rejections")),
    )
    op.create_index(
        "ix_import_rejections_import_uuid", "import_rejections", ["import_uuid", "file", "line"], unique=False
    )
    op.create_table(
        "import_staging",
        sa.Column("import_uuid", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("file", sa.SmallInteger(), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("facility", sa.Text(), nullable=True),
        sa.Column("patient_key", sa.LargeBinary(), nullable=True),
        sa.Column("source_key", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("event_date", sa.Date(), nullable=True),
        sa.Column("first_event", sa.Date(), nullable=True),
        sa.Column("seen_on", sa.Date(), nullable=True),
        sa.Column("birthdate", sa.Date(), nullable=True),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("patient_label", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("personal", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("state IN ('accepted', 'refused', 'merged', 'known')", name=op.f("ck_import_staging_state")),
        sa.PrimaryKeyConstraint("import_uuid", "seq", name=op.f("pk_import_staging")),
    )
    op.create_index("ix_import_staging_kind", "import_staging", ["import_uuid", "kind", "seq"], unique=False)
    op.create_index(
        "ix_import_staging_patient_key",
        "import_staging",
        ["import_uuid", "patient_key"],
        unique=False,
        postgresql_where=sa.text("kind = 'patients'"),
    )
    op.create_table(
        "imports",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("data_date", sa.Date(), nullable=True),
        sa.Column("strict", sa.Boolean(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("runner", sa.Uuid(), nullable=True),
        sa.Column("job_uuid", sa.Uuid(), nullable=True),
        sa.Column("cursor_file", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cursor_line", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("cursor_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("staged", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rows_read", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rows_refused", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rows_left_out", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rows_repeated", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("notes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'reading', 'checking', 'applying', 'done', 'failed', 'cancelled')",
            name=op.f("ck_imports_state"),
        ),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_content_hash", "imports", ["content_hash"], unique=False)
    op.create_index("ix_imports_created_at", "imports", ["created_at"], unique=False)
    op.create_table(
        "interventions",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("prediction_uuid", sa.Uuid(), nullable=True),
        sa.Column("alert_uuid", sa.Uuid(), nullable=True),
        sa.Column("worklist_entry_uuid", sa.Uuid(), nullable=True),
        sa.Column("intervention_type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("assigned_to", sa.Text(), nullable=True),
        sa.Column("assigned_cadre", sa.Text(), nullable=True),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("due_date", sa.Date(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completed_by", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("outcome_date", sa.Date(), nullable=True),
        sa.Column("returned_on", sa.Date(), nullable=True),
        sa.Column("interruption_reason", sa.Text(), nullable=True),
        sa.Column("notes_enc", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("voided_by", sa.Text(), nullable=True),
        sa.Column("date_voided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "intervention_type IN ('phone_call', 'home_visit', 'sms', 'counselling', 'transport_support', 'rescheduling', 'peer_support', 'community_delivery', 'other')",
            name=op.f("ck_interventions_intervention_type"),
        ),
        sa.CheckConstraint(
            "outcome IN ('reached', 'not_reached', 'promised_return', 'returned', 'declined', 'wrong_number', 'moved', 'transferred_out', 'died', 'other')",
            name=op.f("ck_interventions_outcome"),
        ),
        sa.CheckConstraint(
            "status IN ('planned', 'assigned', 'in_progress', 'completed', 'cancelled', 'failed')",
            name=op.f("ck_interventions_status"),
        ),
        sa.CheckConstraint(
            "NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name=op.f("ck_interventions_voided")
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_interventions_attempts")),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_interventions")),
    )
    op.create_index("ix_interventions_intervention_type", "interventions", ["intervention_type"], unique=False)
    op.create_index("ix_interventions_patient_uuid", "interventions", ["patient_uuid"], unique=False)
    op.create_index("ix_interventions_status", "interventions", ["status", "due_date"], unique=False)
    op.create_table(
        "models",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("plugin", sa.Text(), nullable=False),
        sa.Column("plugin_version", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("trained_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("trained_through", sa.Date(), nullable=True),
        sa.Column("features", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("blob_key", sa.Text(), nullable=True),
        sa.Column("blob_sha256", sa.Text(), nullable=True),
        sa.Column("calibrator", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("metrics", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("card", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("gates", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("trained_by", sa.Text(), nullable=False),
        sa.Column("state_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('candidate', 'preferred', 'retired')", name=op.f("ck_models_state")),
        sa.CheckConstraint("(blob_key IS NULL) = (blob_sha256 IS NULL)", name=op.f("ck_models_blob")),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_models")),
        sa.UniqueConstraint("version", name="uq_models_version"),
    )
    op.create_index("ix_models_trained_at", "models", ["trained_at"], unique=False)
    op.create_index(
        "uq_models_preferred", "models", ["state"], unique=True, postgresql_where=sa.text("state = 'preferred'")
    )
    op.create_table(
        "observations",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.LargeBinary(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("known_assumed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("data_date", sa.Date(), nullable=False),
        sa.Column("import_uuid", sa.Uuid(), nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("voided_by", sa.Text(), nullable=True),
        sa.Column("date_voided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("encounter_uuid", sa.Uuid(), nullable=True),
        sa.Column("visit_uuid", sa.Uuid(), nullable=True),
        sa.Column("obs_datetime", sa.DateTime(timezone=True), nullable=False),
        sa.Column("variable_name", sa.Text(), nullable=False),
        sa.Column("concept_id", sa.Integer(), nullable=True),
        sa.Column("value_numeric", sa.Float(), nullable=True),
        sa.Column("value_text", sa.Text(), nullable=True),
        sa.Column("value_coded", sa.Text(), nullable=True),
        sa.Column("value_datetime", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name=op.f("ck_observations_voided")
        ),
        sa.CheckConstraint("known_to IS NULL OR known_to >= known_from", name=op.f("ck_observations_known_order")),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_observations")),
    )
    op.create_index(
        "ix_observations_concept_id",
        "observations",
        ["concept_id"],
        unique=False,
        postgresql_where=sa.text("concept_id IS NOT NULL"),
    )
    op.create_index("ix_observations_obs_datetime", "observations", ["obs_datetime"], unique=False)
    op.create_index("ix_observations_patient_uuid", "observations", ["patient_uuid", "obs_datetime"], unique=False)
    op.create_index("ix_observations_variable_name", "observations", ["variable_name"], unique=False)
    op.create_index(
        "uq_observations_uuid_open", "observations", ["uuid"], unique=True, postgresql_where=sa.text("known_to IS NULL")
    )
    op.create_table(
        "patient_keys",
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("tenant_key_version", sa.Integer(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(wrapped_key IS NULL) = (erased_at IS NOT NULL)", name=op.f("ck_patient_keys_erased")),
        sa.PrimaryKeyConstraint("patient_uuid", name=op.f("pk_patient_keys")),
    )
    op.create_table(
        "patient_states",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.LargeBinary(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("known_assumed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("data_date", sa.Date(), nullable=False),
        sa.Column("import_uuid", sa.Uuid(), nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("voided_by", sa.Text(), nullable=True),
        sa.Column("date_voided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('died', 'transferred_out', 'transferred_in', 'stopped')", name=op.f("ck_patient_states_state")
        ),
        sa.CheckConstraint(
            "NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name=op.f("ck_patient_states_voided")
        ),
        sa.CheckConstraint("known_to IS NULL OR known_to >= known_from", name=op.f("ck_patient_states_known_order")),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_patient_states")),
    )
    op.create_index("ix_patient_states_patient_uuid", "patient_states", ["patient_uuid", "start_date"], unique=False)
    op.create_index(
        "uq_patient_states_uuid_open",
        "patient_states",
        ["uuid"],
        unique=True,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_table(
        "patients",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.LargeBinary(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("known_assumed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("data_date", sa.Date(), nullable=False),
        sa.Column("import_uuid", sa.Uuid(), nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("voided_by", sa.Text(), nullable=True),
        sa.Column("date_voided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("pepfar_id_enc", sa.LargeBinary(), nullable=True),
        sa.Column("pepfar_id_bidx", sa.LargeBinary(), nullable=True),
        sa.Column("hospital_number_enc", sa.LargeBinary(), nullable=True),
        sa.Column("hospital_number_bidx", sa.LargeBinary(), nullable=True),
        sa.Column("given_name_enc", sa.LargeBinary(), nullable=True),
        sa.Column("family_name_enc", sa.LargeBinary(), nullable=True),
        sa.Column("phone_enc", sa.LargeBinary(), nullable=True),
        sa.Column("phone_bidx", sa.LargeBinary(), nullable=True),
        sa.Column("personal_hash", sa.LargeBinary(), nullable=True),
        sa.Column("sex", sa.Text(), nullable=True),
        sa.Column("birthdate", sa.Date(), nullable=True),
        sa.Column("birthdate_estimated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("datim_id", sa.Text(), nullable=False),
        sa.Column("state_province", sa.Text(), nullable=True),
        sa.Column("county_district", sa.Text(), nullable=True),
        sa.Column("city_village", sa.Text(), nullable=True),
        sa.Column("art_start_date", sa.Date(), nullable=True),
        sa.Column("transferred_in", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("case_manager", sa.Text(), nullable=True),
        sa.CheckConstraint("sex IN ('F', 'M')", name=op.f("ck_patients_sex")),
        sa.CheckConstraint(
            "NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name=op.f("ck_patients_voided")
        ),
        sa.CheckConstraint("known_to IS NULL OR known_to >= known_from", name=op.f("ck_patients_known_order")),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_patients")),
    )
    op.create_index(
        "ix_patients_datim_id", "patients", ["datim_id"], unique=False, postgresql_where=sa.text("known_to IS NULL")
    )
    op.create_index("ix_patients_facility_uuid", "patients", ["facility_uuid"], unique=False)
    op.create_index(
        "ix_patients_hospital_number_bidx",
        "patients",
        ["hospital_number_bidx"],
        unique=False,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_index(
        "ix_patients_pepfar_id_bidx",
        "patients",
        ["pepfar_id_bidx"],
        unique=False,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_index(
        "ix_patients_phone_bidx", "patients", ["phone_bidx"], unique=False, postgresql_where=sa.text("known_to IS NULL")
    )
    op.create_index(
        "ix_patients_state_province",
        "patients",
        ["state_province"],
        unique=False,
        postgresql_where=sa.text("known_to IS NULL"),
    )
    op.create_index("ix_patients_uuid", "patients", ["uuid"], unique=False)
    op.create_index(
        "uq_patients_uuid_open", "patients", ["uuid"], unique=True, postgresql_where=sa.text("known_to IS NULL")
    )
    op.create_table(
        "predictions",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("expected_date", sa.Date(), nullable=False),
        sa.Column("days_late", sa.Integer(), nullable=False),
        sa.Column("prediction_timestamp", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model_uuid", sa.Uuid(), nullable=True),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("risk", sa.Float(), nullable=True),
        sa.Column("risk_low", sa.Float(), nullable=True),
        sa.Column("risk_high", sa.Float(), nullable=True),
        sa.Column("raw_score", sa.Float(), nullable=True),
        sa.Column("risk_level", sa.Text(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("within_capacity", sa.Boolean(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("calibration_note", sa.Text(), nullable=True),
        sa.Column("data_date", sa.Date(), nullable=True),
        sa.Column("stale", sa.Boolean(), nullable=False),
        sa.CheckConstraint("(kind = 'at_risk') = (risk IS NOT NULL)", name=op.f("ck_predictions_risk")),
        sa.CheckConstraint("kind IN ('at_risk', 'to_trace')", name=op.f("ck_predictions_kind")),
        sa.CheckConstraint(
            "risk_level IN ('high', 'medium', 'low', 'late', 'iit')", name=op.f("ck_predictions_risk_level")
        ),
        sa.CheckConstraint("risk IS NULL OR (risk >= 0 AND risk <= 1)", name=op.f("ck_predictions_risk_range")),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_predictions")),
        sa.UniqueConstraint("patient_uuid", "as_of", "kind", name="uq_predictions_patient_uuid_as_of_kind"),
    )
    op.create_index(
        "ix_predictions_as_of_kind_facility_uuid", "predictions", ["as_of", "kind", "facility_uuid"], unique=False
    )
    op.create_index("ix_predictions_patient_uuid", "predictions", ["patient_uuid"], unique=False)
    op.create_index("ix_predictions_prediction_timestamp", "predictions", ["prediction_timestamp"], unique=False)
    op.create_index("ix_predictions_risk_level", "predictions", ["risk_level"], unique=False)
    op.create_table(
        "record_sources",
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("first_import_uuid", sa.Uuid(), nullable=False),
        sa.Column("first_data_date", sa.Date(), nullable=False),
        sa.Column("data_date", sa.Date(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("facility_uuid", "source", "table_name", name=op.f("pk_record_sources")),
    )
    op.create_table(
        "score_runs",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("model_uuid", sa.Uuid(), nullable=True),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("rates", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("cursor_uuid", sa.Uuid(), nullable=True),
        sa.Column("patients_seen", sa.Integer(), nullable=False),
        sa.Column("at_risk", sa.Integer(), nullable=False),
        sa.Column("to_trace", sa.Integer(), nullable=False),
        sa.Column("capacity_share", sa.Numeric(precision=5, scale=4), nullable=False),
        sa.Column("data_date", sa.Date(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.CheckConstraint("state IN ('scoring', 'explaining', 'done')", name=op.f("ck_score_runs_state")),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_score_runs")),
        sa.UniqueConstraint("as_of", name="uq_score_runs_as_of"),
    )
    op.create_table(
        "status_transitions",
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.SmallInteger(), nullable=False),
        sa.Column("from_status", sa.Text(), nullable=False),
        sa.Column("to_status", sa.Text(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "from_status IN ('none', 'active', 'iit', 'died', 'transferred_out', 'stopped')",
            name=op.f("ck_status_transitions_from_status"),
        ),
        sa.CheckConstraint(
            "reason IN ('new', 'first_seen', 'transferred_in', 'returned', 'interrupted', 'died', 'transferred_out', 'stopped')",
            name=op.f("ck_status_transitions_reason"),
        ),
        sa.CheckConstraint(
            "to_status IN ('active', 'iit', 'died', 'transferred_out', 'stopped')",
            name=op.f("ck_status_transitions_to_status"),
        ),
        sa.CheckConstraint("from_status <> to_status", name=op.f("ck_status_transitions_change")),
        sa.PrimaryKeyConstraint("patient_uuid", "seq", name=op.f("pk_status_transitions")),
    )
    op.create_index("ix_status_transitions_date", "status_transitions", ["date"], unique=False)
    op.create_table(
        "tenant_keys",
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("master_kid", sa.Text(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("purpose IN ('data', 'index', 'blob')", name=op.f("ck_tenant_keys_purpose")),
        sa.PrimaryKeyConstraint("purpose", "version", name=op.f("pk_tenant_keys")),
    )
    op.create_table(
        "tenant_settings",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_tenant_settings")),
    )
    op.create_table(
        "visits",
        sa.Column("version_id", sa.Uuid(), nullable=False),
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.LargeBinary(), nullable=False),
        sa.Column("known_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("known_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("known_assumed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("data_date", sa.Date(), nullable=False),
        sa.Column("import_uuid", sa.Uuid(), nullable=True),
        sa.Column("row_hash", sa.LargeBinary(), nullable=False),
        sa.Column("voided", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("voided_by", sa.Text(), nullable=True),
        sa.Column("date_voided", sa.DateTime(timezone=True), nullable=True),
        sa.Column("void_reason", sa.Text(), nullable=True),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("date_started", sa.Date(), nullable=False),
        sa.Column("date_stopped", sa.Date(), nullable=True),
        sa.Column("visit_type", sa.Text(), nullable=True),
        sa.Column("next_appointment", sa.Date(), nullable=True),
        sa.CheckConstraint(
            "NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name=op.f("ck_visits_voided")
        ),
        sa.CheckConstraint("known_to IS NULL OR known_to >= known_from", name=op.f("ck_visits_known_order")),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_visits")),
    )
    op.create_index("ix_visits_date_started", "visits", ["date_started"], unique=False)
    op.create_index("ix_visits_patient_uuid", "visits", ["patient_uuid", "date_started"], unique=False)
    op.create_index(
        "uq_visits_uuid_open", "visits", ["uuid"], unique=True, postgresql_where=sa.text("known_to IS NULL")
    )
    op.create_table(
        "worklists",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=True),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("candidates", sa.Integer(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("model_uuid", sa.Uuid(), nullable=True),
        sa.Column("model_version", sa.Text(), nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("data_date", sa.Date(), nullable=True),
        sa.Column("facilities", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("issued_by", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('at_risk', 'to_trace')", name=op.f("ck_worklists_kind")),
        sa.CheckConstraint("capacity > 0", name=op.f("ck_worklists_capacity")),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_worklists")),
    )
    op.create_index("ix_worklists_as_of_kind", "worklists", ["as_of", "kind"], unique=False)
    op.create_table(
        "worklist_entries",
        sa.Column("uuid", sa.Uuid(), nullable=False),
        sa.Column("worklist_uuid", sa.Uuid(), nullable=False),
        sa.Column("patient_uuid", sa.Uuid(), nullable=False),
        sa.Column("facility_uuid", sa.Uuid(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("expected_date", sa.Date(), nullable=False),
        sa.Column("days_late", sa.Integer(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("risk_level", sa.Text(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("contacted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("contacted_by", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("outcome_date", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["worklist_uuid"], ["worklists.uuid"], name=op.f("fk_worklist_entries_worklist_uuid")),
        sa.PrimaryKeyConstraint("uuid", name=op.f("pk_worklist_entries")),
        sa.UniqueConstraint("worklist_uuid", "patient_uuid", name="uq_worklist_entries_worklist_uuid_patient_uuid"),
    )
    op.create_index("ix_worklist_entries_patient_uuid", "worklist_entries", ["patient_uuid"], unique=False)
    grant_tenant(
        "SELECT, INSERT, UPDATE, DELETE",
        "alerts",
        "appointments",
        "communications",
        "contacts",
        "dispensations",
        "encounters",
        "facilities",
        "import_files",
        "import_rejections",
        "import_staging",
        "imports",
        "interventions",
        "models",
        "observations",
        "patient_keys",
        "patient_states",
        "patients",
        "predictions",
        "record_sources",
        "score_runs",
        "status_transitions",
        "tenant_keys",
        "tenant_settings",
        "visits",
        "worklists",
        "worklist_entries",
    )
    grant_tenant("SELECT, INSERT", "audit_events")
