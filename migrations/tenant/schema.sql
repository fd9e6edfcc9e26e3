-- A tenant's schema at head, rendered by `python -m migrations.render`. Run with search_path on the schema.
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));
INSERT INTO alembic_version VALUES ('0011');
CREATE TABLE accuracy_months (
    month DATE NOT NULL, 
    decisions INTEGER NOT NULL, 
    patients INTEGER NOT NULL, 
    interrupted INTEGER NOT NULL, 
    listed INTEGER NOT NULL, 
    listed_interrupted INTEGER NOT NULL, 
    competing INTEGER NOT NULL, 
    mean_risk FLOAT NOT NULL, 
    figures JSONB NOT NULL, 
    measured_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_accuracy_months PRIMARY KEY (month)
);
CREATE TABLE alert_policies (
    id UUID NOT NULL, 
    name TEXT NOT NULL, 
    steps JSONB DEFAULT '[]' NOT NULL, 
    repeats INTEGER NOT NULL, 
    version_id UUID NOT NULL, 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_alert_policies PRIMARY KEY (id)
);
CREATE TABLE alert_routes (
    id UUID NOT NULL, 
    name TEXT NOT NULL, 
    stream TEXT, 
    facilities UUID[] DEFAULT '{}' NOT NULL, 
    severity TEXT NOT NULL, 
    days JSONB DEFAULT '[]' NOT NULL, 
    from_minute INTEGER NOT NULL, 
    until_minute INTEGER NOT NULL, 
    channel_id UUID, 
    policy_id UUID, 
    version_id UUID NOT NULL, 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_alert_routes PRIMARY KEY (id), 
    CONSTRAINT ck_alert_routes_severity CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')), 
    CONSTRAINT ck_alert_routes_target CHECK ((channel_id IS NULL) <> (policy_id IS NULL))
);
CREATE TABLE alert_rules (
    kind TEXT NOT NULL, 
    enabled BOOLEAN NOT NULL, 
    severity TEXT NOT NULL, 
    threshold INTEGER NOT NULL, 
    repeat_hours INTEGER NOT NULL, 
    version_id UUID NOT NULL, 
    changed_by TEXT NOT NULL, 
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_alert_rules PRIMARY KEY (kind), 
    CONSTRAINT ck_alert_rules_severity CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')), 
    CONSTRAINT ck_alert_rules_threshold CHECK (threshold >= 0)
);
CREATE TABLE alert_silences (
    id UUID NOT NULL, 
    rule TEXT, 
    facility_uuid UUID, 
    stream TEXT, 
    since TIMESTAMP WITH TIME ZONE NOT NULL, 
    until TIMESTAMP WITH TIME ZONE NOT NULL, 
    reason TEXT NOT NULL, 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    ended_by TEXT, 
    CONSTRAINT pk_alert_silences PRIMARY KEY (id), 
    CONSTRAINT ck_alert_silences_order CHECK (until > since)
);
CREATE TABLE alerts (
    uuid UUID NOT NULL, 
    version_id UUID NOT NULL, 
    patient_uuid UUID, 
    facility_uuid UUID, 
    prediction_uuid UUID, 
    alert_type TEXT NOT NULL, 
    severity TEXT NOT NULL, 
    status TEXT NOT NULL, 
    reasons JSONB DEFAULT '[]' NOT NULL, 
    data_date DATE, 
    dedupe_key TEXT, 
    assigned_to TEXT, 
    assigned_at TIMESTAMP WITH TIME ZONE, 
    due_date DATE, 
    acknowledged_by TEXT, 
    acknowledged_at TIMESTAMP WITH TIME ZONE, 
    resolved_by TEXT, 
    resolved_at TIMESTAMP WITH TIME ZONE, 
    resolution TEXT, 
    expires_at TIMESTAMP WITH TIME ZONE, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    created_by TEXT NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    voided BOOLEAN DEFAULT false NOT NULL, 
    voided_by TEXT, 
    date_voided TIMESTAMP WITH TIME ZONE, 
    void_reason TEXT, 
    stream TEXT DEFAULT 'clinical' NOT NULL, 
    subject TEXT DEFAULT '' NOT NULL, 
    patients UUID[] DEFAULT '{}' NOT NULL, 
    count INTEGER DEFAULT 0 NOT NULL, 
    facts JSONB DEFAULT '{}' NOT NULL, 
    digest_id UUID, 
    snoozed_until TIMESTAMP WITH TIME ZONE, 
    notify_at TIMESTAMP WITH TIME ZONE, 
    notified_at TIMESTAMP WITH TIME ZONE, 
    policy_id UUID, 
    step INTEGER DEFAULT 0 NOT NULL, 
    step_at TIMESTAMP WITH TIME ZONE, 
    round INTEGER DEFAULT 0 NOT NULL, 
    CONSTRAINT pk_alerts PRIMARY KEY (uuid), 
    CONSTRAINT ck_alerts_status CHECK (status IN ('open', 'acknowledged', 'assigned', 'resolved', 'dismissed', 'expired')), 
    CONSTRAINT ck_alerts_stream CHECK (stream IN ('clinical', 'platform')), 
    CONSTRAINT ck_alerts_severity CHECK (severity IN ('info', 'low', 'medium', 'high', 'critical')), 
    CONSTRAINT ck_alerts_count CHECK (count >= 0), 
    CONSTRAINT ck_alerts_voided CHECK (NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL))
);
CREATE INDEX ix_alerts_alert_type ON alerts (alert_type);
CREATE INDEX ix_alerts_created_at ON alerts (created_at);
CREATE INDEX ix_alerts_digest_id ON alerts (digest_id) WHERE digest_id IS NOT NULL;
CREATE INDEX ix_alerts_facility_uuid ON alerts (facility_uuid);
CREATE INDEX ix_alerts_patient_uuid ON alerts (patient_uuid);
CREATE INDEX ix_alerts_severity ON alerts (severity);
CREATE INDEX ix_alerts_status ON alerts (status, created_at);
CREATE INDEX ix_alerts_updated_at ON alerts (updated_at);
CREATE UNIQUE INDEX uq_alerts_dedupe_key_open ON alerts (dedupe_key) WHERE dedupe_key IS NOT NULL AND status IN ('open', 'acknowledged', 'assigned');
CREATE TABLE appointments (
    version_id UUID NOT NULL, 
    uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    source TEXT NOT NULL, 
    source_key BYTEA NOT NULL, 
    known_from TIMESTAMP WITH TIME ZONE NOT NULL, 
    known_to TIMESTAMP WITH TIME ZONE, 
    known_assumed BOOLEAN DEFAULT false NOT NULL, 
    data_date DATE NOT NULL, 
    import_uuid UUID, 
    row_hash BYTEA NOT NULL, 
    voided BOOLEAN DEFAULT false NOT NULL, 
    voided_by TEXT, 
    date_voided TIMESTAMP WITH TIME ZONE, 
    void_reason TEXT, 
    changed_by TEXT NOT NULL, 
    patient_uuid UUID NOT NULL, 
    booked_on DATE, 
    due_date DATE NOT NULL, 
    status TEXT NOT NULL, 
    runs INTEGER[], 
    stamps TIMESTAMP WITH TIME ZONE[], 
    CONSTRAINT pk_appointments PRIMARY KEY (version_id), 
    CONSTRAINT ck_appointments_known_order CHECK (known_to IS NULL OR known_to >= known_from), 
    CONSTRAINT ck_appointments_voided CHECK (NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)), 
    CONSTRAINT ck_appointments_status CHECK (status IN ('scheduled', 'kept', 'missed', 'cancelled'))
);
CREATE INDEX ix_appointments_due_date ON appointments (due_date);
CREATE INDEX ix_appointments_patient_uuid ON appointments (patient_uuid, due_date);
CREATE INDEX ix_appointments_uuid_closed ON appointments (uuid) WHERE known_to IS NOT NULL;
CREATE UNIQUE INDEX uq_appointments_uuid_open ON appointments (uuid) WHERE known_to IS NULL;
CREATE TABLE audit_events (
    event_id BIGINT GENERATED ALWAYS AS IDENTITY, 
    occurred_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
    actor TEXT NOT NULL, 
    action TEXT NOT NULL, 
    subject_type TEXT NOT NULL, 
    subject_uuid UUID, 
    request_id TEXT, 
    detail JSONB, 
    CONSTRAINT pk_audit_events PRIMARY KEY (event_id)
);
CREATE INDEX ix_audit_events_occurred_at ON audit_events (occurred_at);
CREATE INDEX ix_audit_events_subject_uuid_event_id ON audit_events (subject_uuid, event_id);
CREATE TABLE audit_seals (
    number BIGINT NOT NULL, 
    first_event BIGINT NOT NULL, 
    last_event BIGINT NOT NULL, 
    members INT8MULTIRANGE NOT NULL, 
    events BIGINT NOT NULL, 
    settled_through BIGINT NOT NULL, 
    rows_digest BYTEA NOT NULL, 
    previous BYTEA NOT NULL, 
    digest BYTEA NOT NULL, 
    sealed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_audit_seals PRIMARY KEY (number)
);
CREATE INDEX ix_audit_seals_last_event ON audit_seals (last_event);
CREATE TABLE cache_changes (
    cache TEXT NOT NULL, 
    mark BIGINT NOT NULL, 
    CONSTRAINT pk_cache_changes PRIMARY KEY (cache, mark)
);
CREATE TABLE communications (
    uuid UUID NOT NULL, 
    version_id UUID NOT NULL, 
    patient_uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    prediction_uuid UUID, 
    alert_uuid UUID, 
    intervention_uuid UUID, 
    reply_to_uuid UUID, 
    communication_type TEXT NOT NULL, 
    direction TEXT NOT NULL, 
    status TEXT NOT NULL, 
    channel TEXT, 
    template TEXT, 
    template_version TEXT, 
    language TEXT, 
    consent_basis TEXT, 
    recipient_enc BYTEA, 
    recipient_bidx BYTEA, 
    body_enc BYTEA, 
    dedupe_key TEXT, 
    provider TEXT, 
    provider_message_id TEXT, 
    provider_status TEXT, 
    error_code TEXT, 
    attempts INTEGER DEFAULT 0 NOT NULL, 
    cost NUMERIC(14, 6), 
    currency TEXT, 
    scheduled_for TIMESTAMP WITH TIME ZONE, 
    sent_at TIMESTAMP WITH TIME ZONE, 
    delivered_at TIMESTAMP WITH TIME ZONE, 
    failed_at TIMESTAMP WITH TIME ZONE, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    created_by TEXT NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    voided BOOLEAN DEFAULT false NOT NULL, 
    voided_by TEXT, 
    date_voided TIMESTAMP WITH TIME ZONE, 
    void_reason TEXT, 
    purpose TEXT, 
    contact_date DATE, 
    segments INTEGER, 
    gateway_uuid UUID, 
    job_uuid UUID, 
    answer TEXT, 
    CONSTRAINT pk_communications PRIMARY KEY (uuid), 
    CONSTRAINT ck_communications_communication_type CHECK (communication_type IN ('sms', 'whatsapp', 'voice', 'ussd', 'email', 'letter', 'in_person')), 
    CONSTRAINT ck_communications_status CHECK (status IN ('queued', 'held', 'waiting', 'sending', 'sent', 'delivered', 'failed', 'unknown', 'cancelled', 'received', 'read')), 
    CONSTRAINT ck_communications_direction CHECK (direction IN ('outbound', 'inbound')), 
    CONSTRAINT ck_communications_consent_basis CHECK (direction = 'inbound' OR consent_basis IS NOT NULL), 
    CONSTRAINT ck_communications_cost CHECK (cost IS NULL OR currency IS NOT NULL), 
    CONSTRAINT ck_communications_voided CHECK (NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL))
);
CREATE INDEX ix_communications_communication_type ON communications (communication_type);
CREATE INDEX ix_communications_patient_uuid ON communications (patient_uuid);
CREATE INDEX ix_communications_recipient_bidx ON communications (recipient_bidx, sent_at);
CREATE INDEX ix_communications_status ON communications (status, scheduled_for);
CREATE UNIQUE INDEX uq_communications_dedupe_key ON communications (dedupe_key) WHERE dedupe_key IS NOT NULL;
CREATE UNIQUE INDEX uq_communications_provider_message_id ON communications (provider, provider_message_id) WHERE provider_message_id IS NOT NULL;
CREATE TABLE contacts (
    contact_id UUID NOT NULL, 
    patient_uuid UUID NOT NULL, 
    contact_date DATE NOT NULL, 
    facility_uuid UUID NOT NULL, 
    clinical BOOLEAN NOT NULL, 
    pickup BOOLEAN NOT NULL, 
    days_supplied INTEGER, 
    next_appointment DATE, 
    regimen TEXT, 
    regimen_line TEXT, 
    dsd_model TEXT, 
    known_from TIMESTAMP WITH TIME ZONE NOT NULL, 
    known_to TIMESTAMP WITH TIME ZONE, 
    known_assumed BOOLEAN DEFAULT false NOT NULL, 
    CONSTRAINT pk_contacts PRIMARY KEY (contact_id), 
    CONSTRAINT ck_contacts_known_order CHECK (known_to IS NULL OR known_to > known_from)
);
CREATE INDEX ix_contacts_facility_uuid ON contacts (facility_uuid, contact_date);
CREATE INDEX ix_contacts_patient_uuid ON contacts (patient_uuid, contact_date);
CREATE UNIQUE INDEX uq_contacts_patient_uuid_open ON contacts (patient_uuid, contact_date) WHERE known_to IS NULL;
CREATE TABLE dispensations (
    version_id UUID NOT NULL, 
    uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    source TEXT NOT NULL, 
    source_key BYTEA NOT NULL, 
    known_from TIMESTAMP WITH TIME ZONE NOT NULL, 
    known_to TIMESTAMP WITH TIME ZONE, 
    known_assumed BOOLEAN DEFAULT false NOT NULL, 
    data_date DATE NOT NULL, 
    import_uuid UUID, 
    row_hash BYTEA NOT NULL, 
    voided BOOLEAN DEFAULT false NOT NULL, 
    voided_by TEXT, 
    date_voided TIMESTAMP WITH TIME ZONE, 
    void_reason TEXT, 
    changed_by TEXT NOT NULL, 
    patient_uuid UUID NOT NULL, 
    encounter_uuid UUID, 
    date_dispensed DATE NOT NULL, 
    days_supplied INTEGER, 
    regimen TEXT, 
    regimen_line TEXT, 
    next_appointment DATE, 
    dsd_model TEXT, 
    antiretroviral BOOLEAN DEFAULT true NOT NULL, 
    runs INTEGER[], 
    stamps TIMESTAMP WITH TIME ZONE[], 
    CONSTRAINT pk_dispensations PRIMARY KEY (version_id), 
    CONSTRAINT ck_dispensations_known_order CHECK (known_to IS NULL OR known_to >= known_from), 
    CONSTRAINT ck_dispensations_voided CHECK (NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL))
);
CREATE INDEX ix_dispensations_date_dispensed ON dispensations (date_dispensed);
CREATE INDEX ix_dispensations_patient_uuid ON dispensations (patient_uuid, date_dispensed);
CREATE INDEX ix_dispensations_uuid_closed ON dispensations (uuid) WHERE known_to IS NOT NULL;
CREATE UNIQUE INDEX uq_dispensations_uuid_open ON dispensations (uuid) WHERE known_to IS NULL;
CREATE TABLE encounters (
    version_id UUID NOT NULL, 
    uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    source TEXT NOT NULL, 
    source_key BYTEA NOT NULL, 
    known_from TIMESTAMP WITH TIME ZONE NOT NULL, 
    known_to TIMESTAMP WITH TIME ZONE, 
    known_assumed BOOLEAN DEFAULT false NOT NULL, 
    data_date DATE NOT NULL, 
    import_uuid UUID, 
    row_hash BYTEA NOT NULL, 
    voided BOOLEAN DEFAULT false NOT NULL, 
    voided_by TEXT, 
    date_voided TIMESTAMP WITH TIME ZONE, 
    void_reason TEXT, 
    changed_by TEXT NOT NULL, 
    patient_uuid UUID NOT NULL, 
    visit_uuid UUID, 
    encounter_datetime TIMESTAMP WITH TIME ZONE NOT NULL, 
    encounter_type TEXT, 
    form TEXT, 
    runs INTEGER[], 
    stamps TIMESTAMP WITH TIME ZONE[], 
    CONSTRAINT pk_encounters PRIMARY KEY (version_id), 
    CONSTRAINT ck_encounters_known_order CHECK (known_to IS NULL OR known_to >= known_from), 
    CONSTRAINT ck_encounters_voided CHECK (NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL))
);
CREATE INDEX ix_encounters_encounter_datetime ON encounters (encounter_datetime);
CREATE INDEX ix_encounters_patient_uuid ON encounters (patient_uuid, encounter_datetime);
CREATE INDEX ix_encounters_uuid_closed ON encounters (uuid) WHERE known_to IS NOT NULL;
CREATE UNIQUE INDEX uq_encounters_uuid_open ON encounters (uuid) WHERE known_to IS NULL;
CREATE TABLE erased_identifiers (
    digest BYTEA NOT NULL, 
    erased_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
    CONSTRAINT pk_erased_identifiers PRIMARY KEY (digest)
);
CREATE TABLE facilities (
    uuid UUID NOT NULL, 
    version_id UUID NOT NULL, 
    datim_id TEXT NOT NULL, 
    name TEXT NOT NULL, 
    state_province TEXT, 
    county_district TEXT, 
    source TEXT NOT NULL, 
    complete_through DATE, 
    data_date DATE, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_facilities PRIMARY KEY (uuid), 
    CONSTRAINT uq_facilities_datim_id UNIQUE (datim_id)
);
CREATE INDEX ix_facilities_state_province ON facilities (state_province);
CREATE TABLE facility_targets (
    facility_uuid UUID NOT NULL, 
    month DATE NOT NULL, 
    reached FLOAT, 
    returned FLOAT, 
    set_by TEXT NOT NULL, 
    set_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_facility_targets PRIMARY KEY (facility_uuid, month), 
    CONSTRAINT ck_facility_targets_month CHECK (extract(day FROM month) = 1), 
    CONSTRAINT ck_facility_targets_reached CHECK (reached BETWEEN 0 AND 1), 
    CONSTRAINT ck_facility_targets_returned CHECK (returned BETWEEN 0 AND 1)
);
CREATE TABLE holdout_approvals (
    uuid UUID NOT NULL, 
    share FLOAT NOT NULL, 
    reference TEXT NOT NULL, 
    approved_on DATE NOT NULL, 
    approved_by TEXT NOT NULL, 
    recorded_by TEXT NOT NULL, 
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    ended_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_holdout_approvals PRIMARY KEY (uuid), 
    CONSTRAINT ck_holdout_approvals_share CHECK (share > 0 AND share <= 0.5)
);
CREATE UNIQUE INDEX uq_holdout_approvals_in_force ON holdout_approvals ((ended_at IS NULL)) WHERE ended_at IS NULL;
CREATE TABLE idempotency_answers (
    key_digest BYTEA NOT NULL, 
    principal TEXT NOT NULL, 
    operation TEXT NOT NULL, 
    fingerprint BYTEA NOT NULL, 
    status INTEGER NOT NULL, 
    headers JSONB NOT NULL, 
    answer BYTEA, 
    has_body BOOLEAN NOT NULL, 
    location TEXT, 
    request_id TEXT, 
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_idempotency_answers PRIMARY KEY (key_digest)
);
CREATE INDEX ix_idempotency_answers_expires_at ON idempotency_answers (expires_at);
CREATE TABLE import_files (
    import_uuid UUID NOT NULL, 
    number SMALLINT NOT NULL, 
    name TEXT NOT NULL, 
    size BIGINT NOT NULL, 
    sha256 TEXT NOT NULL, 
    blob_key TEXT, 
    CONSTRAINT pk_import_files PRIMARY KEY (import_uuid, number)
);
CREATE TABLE import_placements (
    import_uuid UUID NOT NULL, 
    patient_key BYTEA NOT NULL, 
    facility TEXT DEFAULT '' NOT NULL, 
    facility_name TEXT DEFAULT '' NOT NULL, 
    patient_uuid UUID, 
    rows BIGINT DEFAULT 0 NOT NULL, 
    gap BOOLEAN DEFAULT false NOT NULL, 
    label TEXT DEFAULT '' NOT NULL, 
    source_keys BYTEA[], 
    CONSTRAINT pk_import_placements PRIMARY KEY (import_uuid, patient_key, facility, facility_name)
);
CREATE INDEX ix_import_placements_patient_key ON import_placements (patient_key);
CREATE TABLE import_rejections (
    id BIGINT GENERATED ALWAYS AS IDENTITY, 
    import_uuid UUID NOT NULL, 
    file SMALLINT NOT NULL, 
    line BIGINT NOT NULL, 
    field TEXT NOT NULL, 
    problem TEXT NOT NULL, 
    remedy TEXT NOT NULL, 
    row_accepted BOOLEAN DEFAULT false NOT NULL, 
    CONSTRAINT pk_import_rejections PRIMARY KEY (id)
);
CREATE INDEX ix_import_rejections_import_uuid ON import_rejections (import_uuid, file, line);
CREATE TABLE import_staging (
    import_uuid UUID NOT NULL, 
    seq BIGINT NOT NULL, 
    kind TEXT NOT NULL, 
    state TEXT NOT NULL, 
    file SMALLINT NOT NULL, 
    line BIGINT NOT NULL, 
    facility TEXT, 
    patient_key BYTEA, 
    source_key BYTEA NOT NULL, 
    digest BYTEA NOT NULL, 
    event_date DATE, 
    first_event DATE, 
    seen_on DATE, 
    birthdate DATE, 
    known_at TIMESTAMP WITH TIME ZONE, 
    label TEXT NOT NULL, 
    patient_label TEXT DEFAULT '' NOT NULL, 
    content BYTEA NOT NULL, 
    personal BYTEA, 
    facility_uuid UUID, 
    entity_uuid UUID, 
    patient_uuid UUID, 
    row_hash BYTEA, 
    voided BOOLEAN DEFAULT false NOT NULL, 
    date_1 DATE, 
    date_2 DATE, 
    date_3 DATE, 
    moment_1 TIMESTAMP WITH TIME ZONE, 
    moment_2 TIMESTAMP WITH TIME ZONE, 
    whole_1 INTEGER, 
    number_1 FLOAT, 
    text_1 TEXT, 
    text_2 TEXT, 
    text_3 TEXT, 
    text_4 TEXT, 
    flag_1 BOOLEAN, 
    facility_name TEXT, 
    CONSTRAINT pk_import_staging PRIMARY KEY (import_uuid, seq), 
    CONSTRAINT ck_import_staging_state CHECK (state IN ('accepted', 'refused', 'merged', 'known', 'waiting'))
);
CREATE INDEX ix_import_staging_patient_key ON import_staging (import_uuid, patient_key) WHERE kind = 'patients';
CREATE TABLE import_touched (
    import_uuid UUID NOT NULL, 
    patient_uuid UUID NOT NULL, 
    kind TEXT NOT NULL, 
    CONSTRAINT pk_import_touched PRIMARY KEY (import_uuid, patient_uuid, kind)
);
CREATE TABLE import_waiting_facts (
    import_uuid UUID NOT NULL, 
    patient_key BYTEA NOT NULL, 
    facility TEXT DEFAULT '' NOT NULL, 
    facility_name TEXT DEFAULT '' NOT NULL, 
    kind TEXT NOT NULL, 
    source_key BYTEA NOT NULL, 
    known_at TIMESTAMP WITH TIME ZONE, 
    voided BOOLEAN DEFAULT false NOT NULL, 
    content BYTEA NOT NULL, 
    date_1 DATE, 
    date_2 DATE, 
    date_3 DATE, 
    moment_1 TIMESTAMP WITH TIME ZONE, 
    moment_2 TIMESTAMP WITH TIME ZONE, 
    whole_1 INTEGER, 
    number_1 FLOAT, 
    text_1 TEXT, 
    text_2 TEXT, 
    text_3 TEXT, 
    text_4 TEXT, 
    flag_1 BOOLEAN, 
    CONSTRAINT pk_import_waiting_facts PRIMARY KEY (import_uuid, patient_key, facility, facility_name, kind, source_key)
);
CREATE INDEX ix_import_waiting_facts_patient_key ON import_waiting_facts (patient_key);
CREATE TABLE imports (
    uuid UUID NOT NULL, 
    state TEXT NOT NULL, 
    step TEXT NOT NULL, 
    format TEXT NOT NULL, 
    source TEXT NOT NULL, 
    mapping JSONB NOT NULL, 
    data_date DATE, 
    strict BOOLEAN NOT NULL, 
    content_hash TEXT NOT NULL, 
    runner UUID, 
    job_uuid UUID, 
    cursor_file INTEGER DEFAULT 0 NOT NULL, 
    cursor_line INTEGER DEFAULT 0 NOT NULL, 
    cursor_seq BIGINT DEFAULT 0 NOT NULL, 
    staged BIGINT DEFAULT 0 NOT NULL, 
    rows_read BIGINT DEFAULT 0 NOT NULL, 
    rows_refused BIGINT DEFAULT 0 NOT NULL, 
    rows_left_out BIGINT DEFAULT 0 NOT NULL, 
    rows_repeated BIGINT DEFAULT 0 NOT NULL, 
    counts JSONB DEFAULT '{}' NOT NULL, 
    notes JSONB DEFAULT '[]' NOT NULL, 
    error TEXT, 
    requested_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    started_at TIMESTAMP WITH TIME ZONE, 
    finished_at TIMESTAMP WITH TIME ZONE, 
    people_first BOOLEAN DEFAULT false NOT NULL, 
    failure JSONB, 
    rows_in_part BIGINT DEFAULT 0 NOT NULL, 
    held_facilities JSONB DEFAULT '[]' NOT NULL, 
    CONSTRAINT pk_imports PRIMARY KEY (uuid), 
    CONSTRAINT ck_imports_state CHECK (state IN ('pending', 'reading', 'checking', 'applying', 'done', 'failed', 'cancelled', 'undoing', 'undone'))
);
CREATE INDEX ix_imports_content_hash ON imports (content_hash);
CREATE INDEX ix_imports_created_at ON imports (created_at);
CREATE TABLE interventions (
    uuid UUID NOT NULL, 
    version_id UUID NOT NULL, 
    patient_uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    prediction_uuid UUID, 
    alert_uuid UUID, 
    worklist_entry_uuid UUID, 
    intervention_type TEXT NOT NULL, 
    status TEXT NOT NULL, 
    assigned_to TEXT, 
    assigned_cadre TEXT, 
    assigned_at TIMESTAMP WITH TIME ZONE, 
    due_date DATE, 
    attempts INTEGER DEFAULT 0 NOT NULL, 
    started_at TIMESTAMP WITH TIME ZONE, 
    completed_at TIMESTAMP WITH TIME ZONE, 
    completed_by TEXT, 
    outcome TEXT, 
    outcome_date DATE, 
    returned_on DATE, 
    interruption_reason TEXT, 
    notes_enc BYTEA, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    created_by TEXT NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    voided BOOLEAN DEFAULT false NOT NULL, 
    voided_by TEXT, 
    date_voided TIMESTAMP WITH TIME ZONE, 
    void_reason TEXT, 
    result TEXT, 
    result_on DATE, 
    window_end DATE, 
    settled BOOLEAN DEFAULT false NOT NULL, 
    planned BOOLEAN DEFAULT false NOT NULL, 
    expected_date DATE, 
    promised_for DATE, 
    new_phone_enc BYTEA, 
    wrong_phone_enc BYTEA, 
    CONSTRAINT pk_interventions PRIMARY KEY (uuid), 
    CONSTRAINT ck_interventions_intervention_type CHECK (intervention_type IN ('phone_call', 'home_visit', 'sms', 'in_person', 'counselling', 'transport_support', 'rescheduling', 'peer_support', 'community_delivery', 'other')), 
    CONSTRAINT ck_interventions_status CHECK (status IN ('planned', 'assigned', 'in_progress', 'completed', 'cancelled', 'failed')), 
    CONSTRAINT ck_interventions_outcome CHECK (outcome IN ('returned', 'promised', 'reached', 'not_reached', 'wrong_number', 'moved', 'transferred_out', 'died', 'refused')), 
    CONSTRAINT ck_interventions_attempts CHECK (attempts >= 0), 
    CONSTRAINT ck_interventions_result CHECK (result IN ('returned_in_time', 'returned_late', 'iit', 'died', 'transferred_out', 'stopped', 'not_known')), 
    CONSTRAINT ck_interventions_voided CHECK (NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL))
);
CREATE INDEX ix_interventions_created_at ON interventions (created_at, uuid);
CREATE INDEX ix_interventions_intervention_type ON interventions (intervention_type);
CREATE INDEX ix_interventions_patient_uuid ON interventions (patient_uuid);
CREATE INDEX ix_interventions_status ON interventions (status, due_date);
CREATE TABLE knowledge_documents (
    uuid UUID NOT NULL, 
    source_id UUID, 
    name TEXT NOT NULL, 
    version INTEGER NOT NULL, 
    title TEXT NOT NULL, 
    url TEXT NOT NULL, 
    language TEXT NOT NULL, 
    media_type TEXT NOT NULL, 
    digest BYTEA NOT NULL, 
    size BIGINT NOT NULL, 
    blob_key TEXT, 
    mark TEXT NOT NULL, 
    state TEXT NOT NULL, 
    failure TEXT, 
    passages INTEGER NOT NULL, 
    valid_from DATE, 
    superseded_at TIMESTAMP WITH TIME ZONE, 
    valid_until DATE, 
    searchable_at TIMESTAMP WITH TIME ZONE, 
    models JSONB DEFAULT '[]'::jsonb NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    created_by TEXT NOT NULL, 
    CONSTRAINT pk_knowledge_documents PRIMARY KEY (uuid), 
    CONSTRAINT uq_knowledge_documents_source_id_name_version UNIQUE NULLS NOT DISTINCT (source_id, name, version), 
    CONSTRAINT ck_knowledge_documents_state CHECK (state IN ('waiting', 'searchable', 'unreadable')), 
    CONSTRAINT ck_knowledge_documents_failure CHECK ((failure IS NOT NULL) = (state = 'unreadable'))
);
CREATE UNIQUE INDEX uq_knowledge_documents_current ON knowledge_documents (source_id, name) NULLS NOT DISTINCT WHERE superseded_at IS NULL AND state = 'searchable';
CREATE TABLE knowledge_questions (
    uuid UUID NOT NULL, 
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    language TEXT NOT NULL, 
    text TEXT NOT NULL, 
    facts TEXT NOT NULL, 
    outcome TEXT NOT NULL, 
    fallback TEXT, 
    probability FLOAT NOT NULL, 
    model TEXT NOT NULL, 
    passages JSONB NOT NULL, 
    feedback TEXT, 
    note TEXT, 
    feedback_at TIMESTAMP WITH TIME ZONE, 
    handled_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_knowledge_questions PRIMARY KEY (uuid), 
    CONSTRAINT ck_knowledge_questions_outcome CHECK (outcome IN ('quoted', 'written', 'none')), 
    CONSTRAINT ck_knowledge_questions_feedback CHECK (feedback IN ('useful', 'wrong', 'missing'))
);
CREATE INDEX ix_knowledge_questions_asked_at ON knowledge_questions (asked_at, uuid);
CREATE INDEX ix_knowledge_questions_open ON knowledge_questions (asked_at, uuid) WHERE handled_at IS NULL AND (outcome = 'none' OR feedback IN ('wrong', 'missing'));
CREATE TABLE linkage_candidates (
    uuid UUID NOT NULL, 
    first_uuid UUID NOT NULL, 
    second_uuid UUID NOT NULL, 
    probability FLOAT NOT NULL, 
    evidence JSONB NOT NULL, 
    evidence_hash TEXT NOT NULL, 
    state TEXT NOT NULL, 
    found_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    decided_at TIMESTAMP WITH TIME ZONE, 
    decided_by TEXT, 
    reason TEXT, 
    CONSTRAINT pk_linkage_candidates PRIMARY KEY (uuid), 
    CONSTRAINT ck_linkage_candidates_pair CHECK (first_uuid < second_uuid), 
    CONSTRAINT ck_linkage_candidates_state CHECK (state IN ('pending', 'merged', 'refused', 'gone')), 
    CONSTRAINT ck_linkage_candidates_probability CHECK (probability BETWEEN 0 AND 1)
);
CREATE INDEX ix_linkage_candidates_state ON linkage_candidates (state, probability);
CREATE UNIQUE INDEX uq_linkage_candidates_pair ON linkage_candidates (first_uuid, second_uuid);
CREATE TABLE list_places (
    measured_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    first DATE, 
    last DATE, 
    places JSONB NOT NULL, 
    patients INTEGER NOT NULL, 
    CONSTRAINT pk_list_places PRIMARY KEY (measured_at)
);
CREATE TABLE message_phones (
    phone_bidx BYTEA NOT NULL, 
    opted_out_at TIMESTAMP WITH TIME ZONE, 
    opted_out_by TEXT, 
    wrong_since TIMESTAMP WITH TIME ZONE, 
    wrong_reason TEXT, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_message_phones PRIMARY KEY (phone_bidx)
);
CREATE TABLE message_templates (
    uuid UUID NOT NULL, 
    purpose TEXT NOT NULL, 
    language TEXT NOT NULL, 
    version INTEGER NOT NULL, 
    body TEXT NOT NULL, 
    state TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    created_by TEXT NOT NULL, 
    retired_at TIMESTAMP WITH TIME ZONE, 
    retired_by TEXT, 
    CONSTRAINT pk_message_templates PRIMARY KEY (uuid), 
    CONSTRAINT ck_patient_consents_purpose CHECK (purpose IN ('reminders', 'follow_up', 'surveys')), 
    CONSTRAINT ck_message_templates_state CHECK (state IN ('active', 'retired')), 
    CONSTRAINT uq_message_templates_version UNIQUE (purpose, language, version)
);
CREATE UNIQUE INDEX uq_message_templates_active ON message_templates (purpose, language) WHERE state = 'active';
CREATE TABLE model_checks (
    uuid UUID NOT NULL, 
    kind TEXT NOT NULL, 
    as_of DATE NOT NULL, 
    model_version TEXT, 
    passed BOOLEAN NOT NULL, 
    patients INTEGER NOT NULL, 
    figures JSONB NOT NULL, 
    blob_key TEXT, 
    blob_sha256 TEXT, 
    measured_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    measured_by TEXT NOT NULL, 
    CONSTRAINT pk_model_checks PRIMARY KEY (uuid), 
    CONSTRAINT ck_model_checks_kind CHECK (kind IN ('drift', 'bias', 'features', 'parity', 'explanations', 'snapshot', 'sums')), 
    CONSTRAINT ck_model_checks_blob CHECK ((blob_key IS NULL) = (blob_sha256 IS NULL)), 
    CONSTRAINT uq_model_checks_kind_as_of UNIQUE (kind, as_of)
);
CREATE TABLE model_events (
    uuid UUID NOT NULL, 
    model_uuid UUID NOT NULL, 
    version TEXT NOT NULL, 
    action TEXT NOT NULL, 
    former_uuid UUID, 
    actor TEXT NOT NULL, 
    happened_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    note TEXT NOT NULL, 
    facts JSONB DEFAULT '{}' NOT NULL, 
    CONSTRAINT pk_model_events PRIMARY KEY (uuid), 
    CONSTRAINT ck_model_events_action CHECK (action IN ('approved', 'promoted', 'rolled_back', 'retired', 'trial_started', 'trial_ended'))
);
CREATE INDEX ix_model_events_happened_at ON model_events (happened_at);
CREATE INDEX ix_model_events_model_uuid ON model_events (model_uuid);
CREATE TABLE models (
    uuid UUID NOT NULL, 
    name TEXT NOT NULL, 
    plugin TEXT NOT NULL, 
    plugin_version TEXT NOT NULL, 
    version TEXT NOT NULL, 
    state TEXT NOT NULL, 
    trained_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    trained_through DATE, 
    features JSONB NOT NULL, 
    blob_key TEXT, 
    blob_sha256 TEXT, 
    calibrator JSONB NOT NULL, 
    metrics JSONB NOT NULL, 
    card JSONB NOT NULL, 
    gates JSONB NOT NULL, 
    trained_by TEXT NOT NULL, 
    state_changed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    failure TEXT, 
    feature_set TEXT, 
    feature_set_version INTEGER, 
    lineage JSONB, 
    signature TEXT, 
    trial JSONB, 
    CONSTRAINT pk_models PRIMARY KEY (uuid), 
    CONSTRAINT ck_models_state CHECK (state IN ('candidate', 'shadow', 'challenger', 'preferred', 'retired', 'failed')), 
    CONSTRAINT ck_models_blob CHECK ((blob_key IS NULL) = (blob_sha256 IS NULL)), 
    CONSTRAINT uq_models_version UNIQUE (version)
);
CREATE INDEX ix_models_trained_at ON models (trained_at);
CREATE UNIQUE INDEX uq_models_beside ON models ((state IN ('shadow', 'challenger'))) WHERE state IN ('shadow', 'challenger');
CREATE UNIQUE INDEX uq_models_preferred ON models (state) WHERE state = 'preferred';
CREATE TABLE observations (
    version_id UUID NOT NULL, 
    uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    source TEXT NOT NULL, 
    source_key BYTEA NOT NULL, 
    known_from TIMESTAMP WITH TIME ZONE NOT NULL, 
    known_to TIMESTAMP WITH TIME ZONE, 
    known_assumed BOOLEAN DEFAULT false NOT NULL, 
    data_date DATE NOT NULL, 
    import_uuid UUID, 
    row_hash BYTEA NOT NULL, 
    voided BOOLEAN DEFAULT false NOT NULL, 
    voided_by TEXT, 
    date_voided TIMESTAMP WITH TIME ZONE, 
    void_reason TEXT, 
    changed_by TEXT NOT NULL, 
    patient_uuid UUID NOT NULL, 
    encounter_uuid UUID, 
    visit_uuid UUID, 
    obs_datetime TIMESTAMP WITH TIME ZONE NOT NULL, 
    variable_name TEXT NOT NULL, 
    concept_id INTEGER, 
    value_numeric FLOAT, 
    value_text TEXT, 
    value_coded TEXT, 
    value_datetime TIMESTAMP WITH TIME ZONE, 
    unit TEXT, 
    runs INTEGER[], 
    stamps TIMESTAMP WITH TIME ZONE[], 
    CONSTRAINT pk_observations PRIMARY KEY (version_id), 
    CONSTRAINT ck_observations_known_order CHECK (known_to IS NULL OR known_to >= known_from), 
    CONSTRAINT ck_observations_voided CHECK (NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL))
);
CREATE INDEX ix_observations_concept_id ON observations (concept_id) WHERE concept_id IS NOT NULL;
CREATE INDEX ix_observations_obs_datetime ON observations (obs_datetime);
CREATE INDEX ix_observations_patient_uuid ON observations (patient_uuid, obs_datetime);
CREATE INDEX ix_observations_uuid_closed ON observations (uuid) WHERE known_to IS NOT NULL;
CREATE INDEX ix_observations_variable_name ON observations (variable_name);
CREATE UNIQUE INDEX uq_observations_uuid_open ON observations (uuid) WHERE known_to IS NULL;
CREATE TABLE officer_absences (
    uuid UUID NOT NULL, 
    person_id UUID NOT NULL, 
    first_day DATE NOT NULL, 
    last_day DATE NOT NULL, 
    cover_id UUID, 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_officer_absences PRIMARY KEY (uuid), 
    CONSTRAINT ck_officer_absences_days CHECK (first_day <= last_day), 
    CONSTRAINT ck_officer_absences_cover CHECK (cover_id <> person_id)
);
CREATE INDEX ix_officer_absences_last_day ON officer_absences (last_day);
CREATE TABLE officer_capacities (
    person_id UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    people INTEGER NOT NULL, 
    set_by TEXT NOT NULL, 
    set_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_officer_capacities PRIMARY KEY (person_id, facility_uuid), 
    CONSTRAINT ck_officer_capacities_people CHECK (people BETWEEN 0 AND 10000)
);
CREATE TABLE on_call_rotas (
    id UUID NOT NULL, 
    name TEXT NOT NULL, 
    members JSONB DEFAULT '[]' NOT NULL, 
    first_day DATE NOT NULL, 
    shift_days INTEGER NOT NULL, 
    handover_minute INTEGER NOT NULL, 
    version_id UUID NOT NULL, 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_on_call_rotas PRIMARY KEY (id), 
    CONSTRAINT ck_on_call_rotas_shift CHECK (shift_days BETWEEN 1 AND 31), 
    CONSTRAINT ck_on_call_rotas_handover CHECK (handover_minute BETWEEN 0 AND 1439)
);
CREATE TABLE patient_assignments (
    patient_uuid UUID NOT NULL, 
    person_id UUID NOT NULL, 
    assigned_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    assigned_by TEXT NOT NULL, 
    merged_uuid UUID, 
    instead_of UUID, 
    CONSTRAINT pk_patient_assignments PRIMARY KEY (patient_uuid)
);
CREATE INDEX ix_patient_assignments_person_id ON patient_assignments (person_id);
CREATE TABLE patient_consents (
    uuid UUID NOT NULL, 
    patient_uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    purpose TEXT NOT NULL, 
    agrees BOOLEAN NOT NULL, 
    day DATE NOT NULL, 
    source TEXT NOT NULL, 
    language TEXT, 
    shared_phone BOOLEAN DEFAULT false NOT NULL, 
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    recorded_by TEXT NOT NULL, 
    CONSTRAINT pk_patient_consents PRIMARY KEY (uuid), 
    CONSTRAINT ck_patient_consents_purpose CHECK (purpose IN ('reminders', 'follow_up', 'surveys')), 
    CONSTRAINT ck_patient_consents_source CHECK (source IN ('paper_form', 'verbal', 'sms', 'import'))
);
CREATE INDEX ix_patient_consents_patient_uuid ON patient_consents (patient_uuid, purpose, recorded_at);
CREATE TABLE patient_identities (
    uuid UUID NOT NULL, 
    patient_uuid UUID NOT NULL, 
    canonical_uuid UUID NOT NULL, 
    through_uuid UUID, 
    known_from TIMESTAMP WITH TIME ZONE NOT NULL, 
    known_to TIMESTAMP WITH TIME ZONE, 
    decided_by TEXT NOT NULL, 
    reason TEXT NOT NULL, 
    closed_by TEXT, 
    close_reason TEXT, 
    CONSTRAINT pk_patient_identities PRIMARY KEY (uuid), 
    CONSTRAINT ck_patient_identities_two CHECK (patient_uuid <> canonical_uuid), 
    CONSTRAINT ck_patient_identities_known_order CHECK (known_to IS NULL OR known_to >= known_from)
);
CREATE INDEX ix_patient_identities_canonical_uuid ON patient_identities (canonical_uuid);
CREATE INDEX ix_patient_identities_patient_uuid ON patient_identities (patient_uuid);
CREATE UNIQUE INDEX uq_patient_identities_patient_uuid_open ON patient_identities (patient_uuid) WHERE known_to IS NULL;
CREATE TABLE patient_keys (
    patient_uuid UUID NOT NULL, 
    tenant_key_version INTEGER NOT NULL, 
    wrapped_key BYTEA, 
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
    erased_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_patient_keys PRIMARY KEY (patient_uuid), 
    CONSTRAINT ck_patient_keys_erased CHECK ((wrapped_key IS NULL) = (erased_at IS NOT NULL))
);
CREATE TABLE patient_statements (
    pepfar_id_enc BYTEA, 
    pepfar_id_bidx BYTEA, 
    hospital_number_enc BYTEA, 
    hospital_number_bidx BYTEA, 
    given_name_enc BYTEA, 
    family_name_enc BYTEA, 
    phone_enc BYTEA, 
    phone_bidx BYTEA, 
    personal_hash BYTEA, 
    sex TEXT, 
    birthdate DATE, 
    birthdate_estimated BOOLEAN DEFAULT false NOT NULL, 
    datim_id TEXT NOT NULL, 
    state_province TEXT, 
    county_district TEXT, 
    city_village TEXT, 
    art_start_date DATE, 
    transferred_in BOOLEAN DEFAULT false NOT NULL, 
    case_manager TEXT, 
    statement_id UUID NOT NULL, 
    patient_uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    source TEXT NOT NULL, 
    source_key BYTEA NOT NULL, 
    statement_hash BYTEA NOT NULL, 
    runs INTEGER[], 
    stamps TIMESTAMP WITH TIME ZONE[], 
    data_date DATE, 
    said TEXT[] NOT NULL, 
    fallback TEXT[] DEFAULT '{}' NOT NULL, 
    voided BOOLEAN DEFAULT false NOT NULL, 
    voided_by TEXT, 
    date_voided TIMESTAMP WITH TIME ZONE, 
    void_reason TEXT, 
    changed_by TEXT NOT NULL, 
    given_name_bidx SMALLINT[], 
    family_name_bidx SMALLINT[], 
    wrong_phone_bidx BYTEA, 
    CONSTRAINT pk_patient_statements PRIMARY KEY (statement_id), 
    CONSTRAINT ck_patient_statements_dated CHECK ((runs IS NULL) = (data_date IS NOT NULL))
);
CREATE INDEX ix_patient_statements_patient_uuid ON patient_statements (patient_uuid);
CREATE TABLE patient_states (
    version_id UUID NOT NULL, 
    uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    source TEXT NOT NULL, 
    source_key BYTEA NOT NULL, 
    known_from TIMESTAMP WITH TIME ZONE NOT NULL, 
    known_to TIMESTAMP WITH TIME ZONE, 
    known_assumed BOOLEAN DEFAULT false NOT NULL, 
    data_date DATE NOT NULL, 
    import_uuid UUID, 
    row_hash BYTEA NOT NULL, 
    voided BOOLEAN DEFAULT false NOT NULL, 
    voided_by TEXT, 
    date_voided TIMESTAMP WITH TIME ZONE, 
    void_reason TEXT, 
    changed_by TEXT NOT NULL, 
    patient_uuid UUID NOT NULL, 
    state TEXT NOT NULL, 
    start_date DATE, 
    reason TEXT, 
    runs INTEGER[], 
    stamps TIMESTAMP WITH TIME ZONE[], 
    CONSTRAINT pk_patient_states PRIMARY KEY (version_id), 
    CONSTRAINT ck_patient_states_known_order CHECK (known_to IS NULL OR known_to >= known_from), 
    CONSTRAINT ck_patient_states_voided CHECK (NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)), 
    CONSTRAINT ck_patient_states_state CHECK (state IN ('died', 'transferred_out', 'transferred_in', 'stopped', 'invalid'))
);
CREATE INDEX ix_patient_states_patient_uuid ON patient_states (patient_uuid, start_date);
CREATE INDEX ix_patient_states_uuid_closed ON patient_states (uuid) WHERE known_to IS NOT NULL;
CREATE UNIQUE INDEX uq_patient_states_uuid_open ON patient_states (uuid) WHERE known_to IS NULL;
CREATE TABLE patients (
    version_id UUID NOT NULL, 
    uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    source TEXT NOT NULL, 
    source_key BYTEA NOT NULL, 
    known_from TIMESTAMP WITH TIME ZONE NOT NULL, 
    known_to TIMESTAMP WITH TIME ZONE, 
    known_assumed BOOLEAN DEFAULT false NOT NULL, 
    data_date DATE NOT NULL, 
    import_uuid UUID, 
    row_hash BYTEA NOT NULL, 
    voided BOOLEAN DEFAULT false NOT NULL, 
    voided_by TEXT, 
    date_voided TIMESTAMP WITH TIME ZONE, 
    void_reason TEXT, 
    changed_by TEXT NOT NULL, 
    pepfar_id_enc BYTEA, 
    pepfar_id_bidx BYTEA, 
    hospital_number_enc BYTEA, 
    hospital_number_bidx BYTEA, 
    given_name_enc BYTEA, 
    family_name_enc BYTEA, 
    phone_enc BYTEA, 
    phone_bidx BYTEA, 
    personal_hash BYTEA, 
    sex TEXT, 
    birthdate DATE, 
    birthdate_estimated BOOLEAN DEFAULT false NOT NULL, 
    datim_id TEXT NOT NULL, 
    state_province TEXT, 
    county_district TEXT, 
    city_village TEXT, 
    art_start_date DATE, 
    transferred_in BOOLEAN DEFAULT false NOT NULL, 
    case_manager TEXT, 
    given_name_bidx SMALLINT[], 
    family_name_bidx SMALLINT[], 
    CONSTRAINT pk_patients PRIMARY KEY (version_id), 
    CONSTRAINT ck_patients_known_order CHECK (known_to IS NULL OR known_to >= known_from), 
    CONSTRAINT ck_patients_voided CHECK (NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)), 
    CONSTRAINT ck_patients_sex CHECK (sex IN ('F', 'M'))
);
CREATE INDEX ix_patients_datim_id ON patients (datim_id) WHERE known_to IS NULL;
CREATE INDEX ix_patients_facility_uuid ON patients (facility_uuid);
CREATE INDEX ix_patients_hospital_number_bidx ON patients (hospital_number_bidx) WHERE known_to IS NULL;
CREATE INDEX ix_patients_name_bidx ON patients USING gin (given_name_bidx, family_name_bidx) WHERE known_to IS NULL;
CREATE INDEX ix_patients_pepfar_id_bidx ON patients (pepfar_id_bidx) WHERE known_to IS NULL;
CREATE INDEX ix_patients_phone_bidx ON patients (phone_bidx) WHERE known_to IS NULL;
CREATE INDEX ix_patients_state_province ON patients (state_province) WHERE known_to IS NULL;
CREATE INDEX ix_patients_uuid ON patients (uuid);
CREATE INDEX ix_patients_without_name_keys ON patients (uuid) WHERE (given_name_enc IS NOT NULL AND given_name_bidx IS NULL) OR (family_name_enc IS NOT NULL AND family_name_bidx IS NULL);
CREATE UNIQUE INDEX uq_patients_uuid_open ON patients (uuid) WHERE known_to IS NULL;
CREATE TABLE patients_to_learn (
    patient_uuid UUID NOT NULL, 
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_patients_to_learn PRIMARY KEY (patient_uuid)
);
CREATE TABLE plugin_instances (
    id UUID NOT NULL, 
    kind TEXT NOT NULL, 
    plugin TEXT NOT NULL, 
    name TEXT NOT NULL, 
    enabled BOOLEAN DEFAULT false NOT NULL, 
    events JSONB NOT NULL, 
    settings JSONB NOT NULL, 
    secrets_set JSONB NOT NULL, 
    sealed_secrets TEXT DEFAULT '' NOT NULL, 
    sealed_token TEXT DEFAULT '' NOT NULL, 
    consecutive_failures INTEGER DEFAULT 0 NOT NULL, 
    failing_since TIMESTAMP WITH TIME ZONE, 
    last_success_at TIMESTAMP WITH TIME ZONE, 
    last_failure_at TIMESTAMP WITH TIME ZONE, 
    last_failure_reason TEXT, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    created_by TEXT NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    version_id UUID NOT NULL, 
    CONSTRAINT pk_plugin_instances PRIMARY KEY (id), 
    CONSTRAINT uq_plugin_instances_kind_name UNIQUE (kind, name)
);
CREATE TABLE predictions (
    uuid UUID NOT NULL, 
    patient_uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    as_of DATE NOT NULL, 
    kind TEXT NOT NULL, 
    expected_date DATE, 
    days_late INTEGER NOT NULL, 
    prediction_timestamp TIMESTAMP WITH TIME ZONE NOT NULL, 
    model_uuid UUID, 
    model_version TEXT NOT NULL, 
    risk FLOAT, 
    risk_low FLOAT, 
    risk_high FLOAT, 
    raw_score FLOAT, 
    risk_level TEXT NOT NULL, 
    rank INTEGER, 
    within_capacity BOOLEAN NOT NULL, 
    reasons JSONB, 
    calibration_note TEXT, 
    data_date DATE, 
    stale BOOLEAN NOT NULL, 
    beside_model_uuid UUID, 
    beside_risk FLOAT, 
    CONSTRAINT pk_predictions PRIMARY KEY (uuid), 
    CONSTRAINT ck_predictions_kind CHECK (kind IN ('at_risk', 'to_trace')), 
    CONSTRAINT ck_predictions_risk CHECK ((kind = 'at_risk') = (risk IS NOT NULL)), 
    CONSTRAINT ck_predictions_risk_range CHECK (risk IS NULL OR (risk >= 0 AND risk <= 1)), 
    CONSTRAINT ck_predictions_risk_level CHECK (risk_level IN ('high', 'medium', 'low', 'late', 'iit')), 
    CONSTRAINT uq_predictions_patient_uuid_as_of_kind UNIQUE (patient_uuid, as_of, kind)
);
CREATE INDEX ix_predictions_as_of_kind_facility_uuid ON predictions (as_of, kind, facility_uuid);
CREATE INDEX ix_predictions_as_of_uuid ON predictions (as_of, uuid);
CREATE INDEX ix_predictions_prediction_timestamp ON predictions (prediction_timestamp);
CREATE INDEX ix_predictions_risk_level ON predictions (risk_level);
CREATE TABLE quality_measures (
    report_uuid UUID NOT NULL, 
    measure TEXT NOT NULL, 
    numerator BIGINT NOT NULL, 
    denominator BIGINT NOT NULL, 
    CONSTRAINT pk_quality_measures PRIMARY KEY (report_uuid, measure), 
    CONSTRAINT ck_quality_measures_share CHECK (numerator BETWEEN 0 AND denominator)
);
CREATE TABLE quality_reports (
    uuid UUID NOT NULL, 
    run_uuid UUID NOT NULL, 
    import_uuid UUID, 
    facility_uuid UUID, 
    data_date DATE, 
    made_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    definitions TEXT NOT NULL, 
    score SMALLINT, 
    dimensions JSONB DEFAULT '{}' NOT NULL, 
    refused JSONB DEFAULT '[]' NOT NULL, 
    CONSTRAINT pk_quality_reports PRIMARY KEY (uuid)
);
CREATE INDEX ix_quality_reports_facility_uuid ON quality_reports (facility_uuid, made_at);
CREATE INDEX ix_quality_reports_import_uuid ON quality_reports (import_uuid);
CREATE INDEX ix_quality_reports_made_at ON quality_reports (made_at);
CREATE INDEX ix_quality_reports_run_uuid ON quality_reports (run_uuid);
CREATE TABLE radet_list_rows (
    patient_uuid UUID NOT NULL, 
    number INTEGER NOT NULL, 
    facility_uuid UUID NOT NULL, 
    status TEXT NOT NULL, 
    status_date DATE, 
    previous_status TEXT, 
    previous_date DATE, 
    last_pickup DATE, 
    days_supplied INTEGER, 
    CONSTRAINT pk_radet_list_rows PRIMARY KEY (patient_uuid, number), 
    CONSTRAINT ck_radet_list_rows_status CHECK (status IN ('active', 'active_restart', 'iit', 'stopped', 'died', 'transferred_out', 'invalid', 'unknown'))
);
CREATE INDEX ix_radet_list_rows_number ON radet_list_rows (number);
CREATE TABLE radet_snapshots (
    patient_uuid UUID NOT NULL, 
    data_date DATE NOT NULL, 
    facility_uuid UUID NOT NULL, 
    source TEXT NOT NULL, 
    import_uuid UUID NOT NULL, 
    status TEXT NOT NULL, 
    status_date DATE, 
    previous_status TEXT, 
    previous_date DATE, 
    last_pickup DATE, 
    days_supplied INTEGER, 
    CONSTRAINT pk_radet_snapshots PRIMARY KEY (patient_uuid, data_date), 
    CONSTRAINT ck_radet_snapshots_status CHECK (status IN ('active', 'active_restart', 'iit', 'stopped', 'died', 'transferred_out', 'invalid', 'unknown'))
);
CREATE INDEX ix_radet_snapshots_data_date ON radet_snapshots (data_date, facility_uuid);
CREATE INDEX ix_radet_snapshots_import_uuid ON radet_snapshots (import_uuid);
CREATE TABLE record_coverage (
    facility_uuid UUID NOT NULL, 
    table_name TEXT NOT NULL, 
    number INTEGER NOT NULL, 
    covers_from DATE, 
    CONSTRAINT pk_record_coverage PRIMARY KEY (facility_uuid, table_name, number)
);
CREATE INDEX ix_record_coverage_number ON record_coverage (number);
CREATE TABLE record_gaps (
    patient_uuid UUID NOT NULL, 
    number INTEGER NOT NULL, 
    CONSTRAINT pk_record_gaps PRIMARY KEY (patient_uuid, number)
);
CREATE TABLE record_runs (
    number INTEGER NOT NULL, 
    import_uuid UUID NOT NULL, 
    source TEXT NOT NULL, 
    kind TEXT NOT NULL, 
    data_date DATE NOT NULL, 
    precedence SMALLINT NOT NULL, 
    digest TEXT NOT NULL, 
    lag_days INTEGER, 
    undone BOOLEAN DEFAULT false NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_record_runs PRIMARY KEY (number)
);
CREATE UNIQUE INDEX uq_record_runs_import_uuid ON record_runs (import_uuid);
CREATE TABLE record_sources (
    facility_uuid UUID NOT NULL, 
    source TEXT NOT NULL, 
    table_name TEXT NOT NULL, 
    first_import_uuid UUID NOT NULL, 
    first_data_date DATE NOT NULL, 
    data_date DATE NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_record_sources PRIMARY KEY (facility_uuid, source, table_name)
);
CREATE TABLE report_files (
    uuid UUID NOT NULL, 
    kind TEXT NOT NULL, 
    format TEXT NOT NULL, 
    options JSONB DEFAULT '{}' NOT NULL, 
    needs TEXT[] NOT NULL, 
    facility_uuids UUID[], 
    requested_by TEXT NOT NULL, 
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    schedule_uuid UUID, 
    state TEXT NOT NULL, 
    problem TEXT, 
    made_at TIMESTAMP WITH TIME ZONE, 
    expires_at TIMESTAMP WITH TIME ZONE, 
    blob TEXT, 
    size BIGINT, 
    recipients UUID[] DEFAULT '{}' NOT NULL, 
    erasures SMALLINT DEFAULT 0 NOT NULL, 
    CONSTRAINT pk_report_files PRIMARY KEY (uuid), 
    CONSTRAINT ck_report_files_state CHECK (state IN ('waiting', 'made', 'failed'))
);
CREATE INDEX ix_report_files_requested_at ON report_files (requested_at, uuid);
CREATE TABLE report_schedules (
    uuid UUID NOT NULL, 
    kind TEXT NOT NULL, 
    format TEXT NOT NULL, 
    options JSONB DEFAULT '{}' NOT NULL, 
    every TEXT NOT NULL, 
    on_day SMALLINT NOT NULL, 
    at_hour SMALLINT NOT NULL, 
    next_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    needs TEXT[] NOT NULL, 
    facility_uuids UUID[], 
    reach_facilities UUID[], 
    reach_states TEXT[], 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    recipients UUID[] DEFAULT '{}' NOT NULL, 
    stopped_at TIMESTAMP WITH TIME ZONE, 
    stopped_why TEXT, 
    CONSTRAINT pk_report_schedules PRIMARY KEY (uuid), 
    CONSTRAINT ck_report_schedules_every CHECK (every IN ('week', 'month')), 
    CONSTRAINT ck_report_schedules_moment CHECK (on_day BETWEEN 1 AND 28 AND at_hour BETWEEN 0 AND 23), 
    CONSTRAINT ck_report_schedules_stopped_why CHECK (stopped_why IN ('creator', 'permission', 'reach', 'length'))
);
CREATE INDEX ix_report_schedules_next_at ON report_schedules (next_at);
CREATE TABLE roles (
    name TEXT NOT NULL, 
    version_id UUID NOT NULL, 
    meaning TEXT NOT NULL, 
    includes TEXT[] NOT NULL, 
    permissions TEXT[] NOT NULL, 
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    changed_by TEXT NOT NULL, 
    CONSTRAINT pk_roles PRIMARY KEY (name), 
    CONSTRAINT ck_roles_name CHECK (name ~ '^[a-z][a-z0-9]*(-[a-z0-9]+)*$' AND length(name) <= 40)
);
CREATE TABLE schedules (
    name TEXT NOT NULL, 
    cron TEXT, 
    active BOOLEAN, 
    basis TEXT NOT NULL, 
    next_run TIMESTAMP WITH TIME ZONE NOT NULL, 
    last_run TIMESTAMP WITH TIME ZONE, 
    changed_by TEXT, 
    changed_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_schedules PRIMARY KEY (name)
);
CREATE TABLE score_parts (
    uuid UUID NOT NULL, 
    run_uuid UUID NOT NULL, 
    parent_job UUID NOT NULL, 
    inputs TEXT NOT NULL, 
    model_version TEXT NOT NULL, 
    after UUID, 
    until UUID NOT NULL, 
    cursor_uuid UUID, 
    state TEXT NOT NULL, 
    patients INTEGER NOT NULL, 
    patients_seen INTEGER NOT NULL, 
    at_risk INTEGER NOT NULL, 
    to_trace INTEGER NOT NULL, 
    usual_risk FLOAT, 
    CONSTRAINT pk_score_parts PRIMARY KEY (uuid), 
    CONSTRAINT ck_score_parts_state CHECK (state IN ('waiting', 'done', 'failed', 'unfit'))
);
CREATE INDEX ix_score_parts_run_uuid ON score_parts (run_uuid);
CREATE TABLE score_runs (
    uuid UUID NOT NULL, 
    as_of DATE NOT NULL, 
    state TEXT NOT NULL, 
    model_uuid UUID, 
    model_version TEXT NOT NULL, 
    rates JSONB NOT NULL, 
    inputs TEXT NOT NULL, 
    cursor_uuid UUID, 
    patients_seen INTEGER NOT NULL, 
    at_risk INTEGER NOT NULL, 
    to_trace INTEGER NOT NULL, 
    capacity_share NUMERIC(5, 4) NOT NULL, 
    data_date DATE, 
    started_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    finished_at TIMESTAMP WITH TIME ZONE, 
    started_by TEXT NOT NULL, 
    usual_risk FLOAT, 
    note TEXT, 
    CONSTRAINT pk_score_runs PRIMARY KEY (uuid), 
    CONSTRAINT ck_score_runs_state CHECK (state IN ('scoring', 'explaining', 'done', 'failed')), 
    CONSTRAINT uq_score_runs_as_of UNIQUE (as_of)
);
CREATE TABLE status_proposals (
    uuid UUID NOT NULL, 
    patient_uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    state TEXT NOT NULL, 
    happened_on DATE NOT NULL, 
    decision TEXT NOT NULL, 
    attempt_uuid UUID, 
    proposed_by TEXT NOT NULL, 
    proposed_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    decided_by TEXT, 
    decided_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_status_proposals PRIMARY KEY (uuid), 
    CONSTRAINT ck_status_proposals_state CHECK (state IN ('died', 'transferred_out')), 
    CONSTRAINT ck_status_proposals_decision CHECK (decision IN ('proposed', 'verified', 'rejected')), 
    CONSTRAINT ck_status_proposals_decided CHECK ((decision = 'proposed') = (decided_by IS NULL)), 
    CONSTRAINT ck_status_proposals_second_person CHECK (decided_by <> proposed_by)
);
CREATE INDEX ix_status_proposals_patient_uuid ON status_proposals (patient_uuid);
CREATE INDEX ix_status_proposals_proposed_at ON status_proposals (proposed_at, uuid);
CREATE UNIQUE INDEX uq_status_proposals_attempt_uuid ON status_proposals (attempt_uuid) WHERE decision = 'proposed';
CREATE TABLE status_transitions (
    patient_uuid UUID NOT NULL, 
    seq SMALLINT NOT NULL, 
    from_status TEXT NOT NULL, 
    to_status TEXT NOT NULL, 
    date DATE NOT NULL, 
    reason TEXT NOT NULL, 
    CONSTRAINT pk_status_transitions PRIMARY KEY (patient_uuid, seq), 
    CONSTRAINT ck_status_transitions_from_status CHECK (from_status IN ('none', 'active', 'iit', 'died', 'transferred_out', 'stopped', 'unknown', 'invalid')), 
    CONSTRAINT ck_status_transitions_to_status CHECK (to_status IN ('active', 'iit', 'died', 'transferred_out', 'stopped', 'unknown', 'invalid')), 
    CONSTRAINT ck_status_transitions_change CHECK (from_status <> to_status), 
    CONSTRAINT ck_status_transitions_reason CHECK (reason IN ('new', 'first_seen', 'transferred_in', 'returned', 'interrupted', 'died', 'transferred_out', 'stopped', 'unread', 'invalid', 'partner_list'))
);
CREATE INDEX ix_status_transitions_date ON status_transitions (date);
CREATE TABLE tenant_keys (
    purpose TEXT NOT NULL, 
    version INTEGER NOT NULL, 
    master_kid TEXT NOT NULL, 
    wrapped_key BYTEA NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL, 
    CONSTRAINT pk_tenant_keys PRIMARY KEY (purpose, version), 
    CONSTRAINT ck_tenant_keys_purpose CHECK (purpose IN ('data', 'index', 'blob'))
);
CREATE TABLE tenant_settings (
    key TEXT NOT NULL, 
    value JSONB NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    updated_by TEXT NOT NULL, 
    CONSTRAINT pk_tenant_settings PRIMARY KEY (key)
);
CREATE TABLE unmatched_messages (
    uuid UUID NOT NULL, 
    gateway_uuid UUID NOT NULL, 
    sealed_sender TEXT, 
    sealed_text TEXT, 
    candidates UUID[] NOT NULL, 
    state TEXT NOT NULL, 
    received_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    settled_at TIMESTAMP WITH TIME ZONE, 
    settled_by TEXT, 
    CONSTRAINT pk_unmatched_messages PRIMARY KEY (uuid), 
    CONSTRAINT ck_unmatched_messages_state CHECK (state IN ('waiting', 'settled'))
);
CREATE INDEX ix_unmatched_messages_state ON unmatched_messages (state, received_at);
CREATE TABLE unread_contacts (
    patient_uuid UUID NOT NULL, 
    source TEXT NOT NULL, 
    list_kind TEXT NOT NULL, 
    import_uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    list_date DATE NOT NULL, 
    partner_status TEXT, 
    known_from TIMESTAMP WITH TIME ZONE NOT NULL, 
    known_to TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_unread_contacts PRIMARY KEY (patient_uuid, source, list_kind, import_uuid), 
    CONSTRAINT ck_unread_contacts_partner_status CHECK (partner_status IN ('active', 'active_restart', 'iit', 'stopped', 'died', 'transferred_out', 'invalid', 'unknown')), 
    CONSTRAINT ck_unread_contacts_known_order CHECK (known_to IS NULL OR known_to >= known_from)
);
CREATE INDEX ix_unread_contacts_import_uuid ON unread_contacts (import_uuid);
CREATE TABLE visits (
    version_id UUID NOT NULL, 
    uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    source TEXT NOT NULL, 
    source_key BYTEA NOT NULL, 
    known_from TIMESTAMP WITH TIME ZONE NOT NULL, 
    known_to TIMESTAMP WITH TIME ZONE, 
    known_assumed BOOLEAN DEFAULT false NOT NULL, 
    data_date DATE NOT NULL, 
    import_uuid UUID, 
    row_hash BYTEA NOT NULL, 
    voided BOOLEAN DEFAULT false NOT NULL, 
    voided_by TEXT, 
    date_voided TIMESTAMP WITH TIME ZONE, 
    void_reason TEXT, 
    changed_by TEXT NOT NULL, 
    patient_uuid UUID NOT NULL, 
    date_started DATE NOT NULL, 
    date_stopped DATE, 
    visit_type TEXT, 
    next_appointment DATE, 
    runs INTEGER[], 
    stamps TIMESTAMP WITH TIME ZONE[], 
    CONSTRAINT pk_visits PRIMARY KEY (version_id), 
    CONSTRAINT ck_visits_known_order CHECK (known_to IS NULL OR known_to >= known_from), 
    CONSTRAINT ck_visits_voided CHECK (NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL))
);
CREATE INDEX ix_visits_date_started ON visits (date_started);
CREATE INDEX ix_visits_patient_uuid ON visits (patient_uuid, date_started);
CREATE INDEX ix_visits_uuid_closed ON visits (uuid) WHERE known_to IS NOT NULL;
CREATE UNIQUE INDEX uq_visits_uuid_open ON visits (uuid) WHERE known_to IS NULL;
CREATE TABLE webhook_endpoints (
    id UUID NOT NULL, 
    url TEXT NOT NULL, 
    events TEXT[] NOT NULL, 
    sealed_secret TEXT NOT NULL, 
    sealed_previous TEXT, 
    previous_until TIMESTAMP WITH TIME ZONE, 
    state TEXT NOT NULL, 
    reason TEXT, 
    failures INTEGER NOT NULL, 
    failing_since TIMESTAMP WITH TIME ZONE, 
    paused_until TIMESTAMP WITH TIME ZONE, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    created_by TEXT NOT NULL, 
    version_id UUID NOT NULL, 
    CONSTRAINT pk_webhook_endpoints PRIMARY KEY (id), 
    CONSTRAINT ck_webhook_endpoints_state CHECK (state IN ('active', 'disabled'))
);
CREATE TABLE worklists (
    uuid UUID NOT NULL, 
    kind TEXT NOT NULL, 
    as_of DATE NOT NULL, 
    facility_uuid UUID, 
    capacity INTEGER NOT NULL, 
    candidates INTEGER NOT NULL, 
    entries INTEGER NOT NULL, 
    model_uuid UUID, 
    model_version TEXT NOT NULL, 
    scored_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    data_date DATE, 
    facilities JSONB NOT NULL, 
    issued_by TEXT NOT NULL, 
    issued_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    due_within INTEGER, 
    capacity_share NUMERIC(5, 4), 
    usual_risk FLOAT, 
    note TEXT, 
    held_out INTEGER DEFAULT 0 NOT NULL, 
    shared_at TIMESTAMP WITH TIME ZONE, 
    shared_by TEXT, 
    shared JSONB, 
    CONSTRAINT pk_worklists PRIMARY KEY (uuid), 
    CONSTRAINT ck_worklists_kind CHECK (kind IN ('at_risk', 'to_trace')), 
    CONSTRAINT ck_worklists_capacity CHECK (capacity > 0)
);
CREATE INDEX ix_worklists_as_of_kind ON worklists (as_of, kind);
CREATE TABLE alert_deliveries (
    id UUID NOT NULL, 
    state TEXT NOT NULL, 
    repeatable BOOLEAN NOT NULL, 
    attempts INTEGER NOT NULL, 
    due_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    reason TEXT, 
    reference TEXT, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    ended_at TIMESTAMP WITH TIME ZONE, 
    alert_uuid UUID NOT NULL, 
    channel_id UUID NOT NULL, 
    act TEXT NOT NULL, 
    round INTEGER NOT NULL, 
    CONSTRAINT pk_alert_deliveries PRIMARY KEY (id), 
    CONSTRAINT ck_alert_deliveries_state CHECK (state IN ('waiting', 'sending', 'sent', 'failed', 'unknown')), 
    CONSTRAINT ck_alert_deliveries_attempts CHECK (attempts >= 0), 
    CONSTRAINT ck_alert_deliveries_act CHECK (act IN ('trigger', 'acknowledge', 'resolve')), 
    CONSTRAINT fk_alert_deliveries_alert_uuid FOREIGN KEY(alert_uuid) REFERENCES alerts (uuid) ON DELETE CASCADE
);
CREATE INDEX ix_alert_deliveries_channel_id ON alert_deliveries (channel_id, created_at);
CREATE UNIQUE INDEX uq_alert_deliveries_once ON alert_deliveries (alert_uuid, channel_id, act, round);
CREATE TABLE alert_events (
    id UUID NOT NULL, 
    alert_uuid UUID NOT NULL, 
    at TIMESTAMP WITH TIME ZONE NOT NULL, 
    act TEXT NOT NULL, 
    actor TEXT NOT NULL, 
    detail JSONB DEFAULT '{}' NOT NULL, 
    CONSTRAINT pk_alert_events PRIMARY KEY (id), 
    CONSTRAINT fk_alert_events_alert_uuid FOREIGN KEY(alert_uuid) REFERENCES alerts (uuid) ON DELETE CASCADE
);
CREATE INDEX ix_alert_events_alert_uuid ON alert_events (alert_uuid, at);
CREATE TABLE data_passages (
    id BIGINT GENERATED BY DEFAULT AS IDENTITY, 
    node_id TEXT NOT NULL, 
    text TEXT NOT NULL, 
    metadata_ JSONB NOT NULL, 
    embedding VECTOR(384) NOT NULL, 
    model TEXT NOT NULL, 
    document_uuid UUID NOT NULL, 
    number INTEGER NOT NULL, 
    section TEXT NOT NULL, 
    page INTEGER, 
    language TEXT NOT NULL, 
    searched TEXT NOT NULL, 
    words INTEGER NOT NULL, 
    lexemes TSVECTOR GENERATED ALWAYS AS (to_tsvector(CASE language WHEN 'en' THEN 'english'::regconfig WHEN 'fr' THEN 'french'::regconfig WHEN 'pt' THEN 'portuguese'::regconfig ELSE 'simple'::regconfig END, searched)) STORED, 
    CONSTRAINT pk_data_passages PRIMARY KEY (id), 
    CONSTRAINT uq_data_passages_document_uuid_number_model UNIQUE (document_uuid, number, model), 
    CONSTRAINT fk_data_passages_document_uuid FOREIGN KEY(document_uuid) REFERENCES knowledge_documents (uuid) ON DELETE CASCADE
);
CREATE INDEX ix_data_passages_embedding ON data_passages USING hnsw (embedding vector_cosine_ops);
CREATE INDEX ix_data_passages_lexemes ON data_passages USING gin (lexemes);
CREATE INDEX ix_data_passages_node_id ON data_passages (node_id);
CREATE TABLE fetched_files (
    id UUID NOT NULL, 
    instance_id UUID NOT NULL, 
    name TEXT NOT NULL, 
    size BIGINT NOT NULL, 
    modified_at TIMESTAMP WITH TIME ZONE, 
    etag TEXT NOT NULL, 
    sha256 TEXT NOT NULL, 
    import_uuid UUID, 
    problem TEXT NOT NULL, 
    detail TEXT NOT NULL, 
    basis TEXT NOT NULL, 
    fetched_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    seen_on DATE NOT NULL, 
    CONSTRAINT pk_fetched_files PRIMARY KEY (id), 
    CONSTRAINT uq_fetched_files_instance_id_name UNIQUE (instance_id, name), 
    CONSTRAINT fk_fetched_files_instance_id FOREIGN KEY(instance_id) REFERENCES plugin_instances (id) ON DELETE CASCADE
);
CREATE TABLE import_sources (
    instance_id UUID NOT NULL, 
    mapping TEXT NOT NULL, 
    dates TEXT, 
    strict BOOLEAN NOT NULL, 
    cron TEXT NOT NULL, 
    active BOOLEAN NOT NULL, 
    basis TEXT NOT NULL, 
    next_run TIMESTAMP WITH TIME ZONE NOT NULL, 
    job_id UUID, 
    began_at TIMESTAMP WITH TIME ZONE, 
    ended_at TIMESTAMP WITH TIME ZONE, 
    outcome TEXT, 
    problem TEXT NOT NULL, 
    failures INTEGER NOT NULL, 
    files_seen INTEGER NOT NULL, 
    files_fetched INTEGER NOT NULL, 
    files_waiting INTEGER NOT NULL, 
    new_file_at TIMESTAMP WITH TIME ZONE, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    changed_by TEXT, 
    changed_at TIMESTAMP WITH TIME ZONE, 
    CONSTRAINT pk_import_sources PRIMARY KEY (instance_id), 
    CONSTRAINT ck_import_sources_outcome CHECK (outcome IN ('done', 'failed')), 
    CONSTRAINT fk_import_sources_instance_id FOREIGN KEY(instance_id) REFERENCES plugin_instances (id) ON DELETE CASCADE
);
CREATE TABLE on_call_overrides (
    id UUID NOT NULL, 
    rota_id UUID NOT NULL, 
    person_id UUID NOT NULL, 
    since TIMESTAMP WITH TIME ZONE NOT NULL, 
    until TIMESTAMP WITH TIME ZONE NOT NULL, 
    created_by TEXT NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_on_call_overrides PRIMARY KEY (id), 
    CONSTRAINT ck_on_call_overrides_order CHECK (until > since), 
    CONSTRAINT fk_on_call_overrides_rota_id FOREIGN KEY(rota_id) REFERENCES on_call_rotas (id) ON DELETE CASCADE
);
CREATE INDEX ix_on_call_overrides_rota_id ON on_call_overrides (rota_id);
CREATE TABLE plugin_failures (
    id UUID NOT NULL, 
    instance_id UUID, 
    model TEXT, 
    at TIMESTAMP WITH TIME ZONE NOT NULL, 
    operation TEXT NOT NULL, 
    reason TEXT NOT NULL, 
    output TEXT NOT NULL, 
    CONSTRAINT pk_plugin_failures PRIMARY KEY (id), 
    CONSTRAINT ck_plugin_failures_of_one CHECK ((instance_id IS NULL) <> (model IS NULL)), 
    CONSTRAINT fk_plugin_failures_instance_id FOREIGN KEY(instance_id) REFERENCES plugin_instances (id) ON DELETE CASCADE
);
CREATE INDEX ix_plugin_failures_instance ON plugin_failures (instance_id, at);
CREATE TABLE webhook_deliveries (
    id UUID NOT NULL, 
    endpoint_id UUID NOT NULL, 
    event_id UUID NOT NULL, 
    event TEXT NOT NULL, 
    body TEXT NOT NULL, 
    state TEXT NOT NULL, 
    attempts INTEGER NOT NULL, 
    due_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    CONSTRAINT pk_webhook_deliveries PRIMARY KEY (id), 
    CONSTRAINT ck_webhook_deliveries_state CHECK (state IN ('waiting', 'delivered', 'failed')), 
    CONSTRAINT fk_webhook_deliveries_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES webhook_endpoints (id) ON DELETE CASCADE
);
CREATE INDEX ix_webhook_deliveries_created ON webhook_deliveries (endpoint_id, created_at);
CREATE INDEX ix_webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at) WHERE state = 'waiting';
CREATE TABLE worklist_entries (
    uuid UUID NOT NULL, 
    worklist_uuid UUID NOT NULL, 
    patient_uuid UUID NOT NULL, 
    facility_uuid UUID NOT NULL, 
    rank INTEGER NOT NULL, 
    expected_date DATE, 
    days_late INTEGER NOT NULL, 
    score FLOAT NOT NULL, 
    risk_level TEXT NOT NULL, 
    reasons JSONB, 
    contacted_at TIMESTAMP WITH TIME ZONE, 
    contacted_by TEXT, 
    outcome TEXT, 
    outcome_date DATE, 
    result TEXT, 
    result_on DATE, 
    window_end DATE, 
    settled BOOLEAN DEFAULT false NOT NULL, 
    held_out BOOLEAN DEFAULT false NOT NULL, 
    CONSTRAINT pk_worklist_entries PRIMARY KEY (uuid), 
    CONSTRAINT uq_worklist_entries_worklist_uuid_patient_uuid UNIQUE (worklist_uuid, patient_uuid), 
    CONSTRAINT ck_worklist_entries_result CHECK (result IN ('returned_in_time', 'returned_late', 'iit', 'died', 'transferred_out', 'stopped', 'not_known')), 
    CONSTRAINT fk_worklist_entries_worklist_uuid FOREIGN KEY(worklist_uuid) REFERENCES worklists (uuid)
);
CREATE INDEX ix_worklist_entries_patient_uuid ON worklist_entries (patient_uuid);
CREATE TABLE webhook_attempts (
    id UUID NOT NULL, 
    endpoint_id UUID NOT NULL, 
    delivery_id UUID NOT NULL, 
    at TIMESTAMP WITH TIME ZONE NOT NULL, 
    status INTEGER, 
    error TEXT, 
    milliseconds INTEGER NOT NULL, 
    CONSTRAINT pk_webhook_attempts PRIMARY KEY (id), 
    CONSTRAINT fk_webhook_attempts_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES webhook_endpoints (id) ON DELETE CASCADE, 
    CONSTRAINT fk_webhook_attempts_delivery_id FOREIGN KEY(delivery_id) REFERENCES webhook_deliveries (id) ON DELETE CASCADE
);
CREATE INDEX ix_webhook_attempts_delivery_id ON webhook_attempts (delivery_id);
CREATE INDEX ix_webhook_attempts_endpoint ON webhook_attempts (endpoint_id, at);
GRANT SELECT, INSERT, UPDATE, DELETE ON accuracy_months, alert_policies, alert_routes, alert_rules, alert_silences, alerts, appointments, cache_changes, communications, contacts, dispensations, encounters, facilities, facility_targets, holdout_approvals, idempotency_answers, import_files, import_placements, import_rejections, import_touched, import_waiting_facts, imports, interventions, knowledge_documents, knowledge_questions, linkage_candidates, list_places, message_phones, message_templates, model_checks, model_events, models, observations, officer_absences, officer_capacities, on_call_rotas, patient_assignments, patient_consents, patient_identities, patient_keys, patient_statements, patient_states, patients, patients_to_learn, plugin_instances, predictions, quality_measures, quality_reports, radet_list_rows, radet_snapshots, record_coverage, record_gaps, record_runs, record_sources, report_files, report_schedules, roles, schedules, score_parts, score_runs, status_proposals, status_transitions, tenant_keys, tenant_settings, unmatched_messages, unread_contacts, visits, webhook_endpoints, worklists, alert_deliveries, alert_events, data_passages, fetched_files, import_sources, on_call_overrides, plugin_failures, webhook_deliveries, worklist_entries, webhook_attempts TO :"tenant";
GRANT SELECT, INSERT ON erased_identifiers TO :"tenant";
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON import_staging TO :"tenant";
GRANT SELECT ON audit_seals TO :"tenant";
GRANT SELECT, INSERT (actor, action, subject_type, subject_uuid, request_id, detail) ON audit_events TO :"tenant";
