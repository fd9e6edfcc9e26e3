"""Why rendered steps that the lint treats as unsafe may run: (tree, changed object) -> reason.

The changed object is a constraint's or an index's name, ``table.column``, ``table.grants``, or ``table.*`` for all of a
table. ``python -m migrations.render`` writes the reason beside the step as ``# allow: ...``; see ``migrations.lint``.
"""

_WIDENED = "it allows more words than the check before it, so every row passes; one look at one tenant's rows"

_EMPTY = "no released code has ever written to the table, so there is no row to look at"

_FEW_USES = "a few rows for each tenant and day: the table is rewritten and indexed in seconds at most"

_JOBS_OF_DAYS = "jobs are kept for days: one look at some thousand rows, in milliseconds"

REASONS: dict[tuple[str, str], str] = {
    ("tenant", "ck_models_state"): _WIDENED,
    ("tenant", "uq_models_beside"): "a few models for each tenant, and none of them in these states yet",
    ("tenant", "ck_imports_state"): _WIDENED,
    ("tenant", "ck_import_staging_state"): _WIDENED,
    ("tenant", "ck_score_runs_state"): _WIDENED,
    ("tenant", "ck_communications_status"): _EMPTY,
    ("tenant", "ix_communications_recipient_bidx"): _EMPTY,
    ("tenant", "ck_interventions_intervention_type"): _EMPTY,
    ("tenant", "ck_interventions_outcome"): _EMPTY,
    ("tenant", "ix_interventions_created_at"): _EMPTY,
    ("tenant", "ck_patient_states_state"): _WIDENED,
    ("tenant", "ck_radet_snapshots_status"): _WIDENED,
    ("tenant", "ck_status_transitions_from_status"): _WIDENED,
    ("tenant", "ck_status_transitions_to_status"): _WIDENED,
    ("tenant", "ck_status_transitions_reason"): _WIDENED,
    ("tenant", "audit_events.grants"): "no code has ever given an event its number or its time",
    ("tenant", "audit_seals.grants"): "an older worker's sealer fails, says so, and the next worker seals what it left",
    ("node", "ck_dead_letters_reason"): "it allows more words than the check before it, and few letters wait",
    ("node", "ck_jobs_priority"): _JOBS_OF_DAYS,
    ("node", "ck_jobs_state"): _JOBS_OF_DAYS,
    ("node", "ix_jobs_queued"): "a relay that still runs looks for due jobs without it, more slowly",
    ("node", "ix_jobs_ended"): _JOBS_OF_DAYS,
    ("node", "ix_jobs_deadline"): _JOBS_OF_DAYS,
    ("node", "ix_jobs_result_until"): _JOBS_OF_DAYS,
    ("node", "ix_jobs_waiting"): _JOBS_OF_DAYS,
    ("node", "jobs.grants"): "one column more than before, in one transaction: code that still runs loses nothing",
    ("node", "usage_events.transaction_id"): _FEW_USES,
    ("node", "ix_usage_events_transaction_id"): _FEW_USES,
    ("platform", "tenants.*"): "one row for each tenant: thousands at most, read in milliseconds",
}
