"""The registration of the feature ``cohort`` with the platform."""

from core.feature_registry import Command, Feature, Permission, SettingsGroup

feature = Feature(
    name="cohort",
    routers=("tenants.cohort.api:router", "tenants.cohort.radet_api:router"),
    jobs=("tenants.cohort.jobs",),
    tables=("tenants.cohort.models",),
    permissions=(
        Permission(
            "cohort.read",
            "See status, indicators, completeness and the rules they follow",
            roles=(
                "data_officer",
                "clinician",
                "case_manager",
                "viewer",
                "service",
            ),
        ),
        Permission("cohort.write", "Change the rules of expected contacts and status"),
    ),
    audit_actions=(
        "api:status:read",
        "api:radet_disagreements:read",
        "cohort:indicator_people:read",
        "job:cohort:rebuild",
    ),
    commands={
        "indicators": Command("tenants.cohort.commands:indicators", "MER indicators of a period, with their flows."),
        "cohort": Command(
            "tenants.cohort.commands:cohort", "Count people on treatment, late, in IIT or gone, on a day."
        ),
        "radet": Command("tenants.cohort.radet_commands:radet", "Compare partners' own statuses with the records."),
    },
    settings={
        "cohort": SettingsGroup(
            "tenants.cohort.settings:CohortSettings",
            "Rules of expected contacts, status, labels and completeness. A change recomputes all statuses.",
            "cohort.write",
            # A change restarts the rebuild, whose steps take this lock while they move its cursor.
            lock="tenants.records.locks:lock_for_import",
        )
    },
    listeners={
        "records.changed": "tenants.cohort.listeners:records_changed",
        "settings.changed": "tenants.cohort.listeners:settings_changed",
        "imports.completed": "tenants.cohort.listeners:import_finished",
        "statuses.verified": "tenants.cohort.listeners:status_verified",
        "tenant.restored": "tenants.cohort.listeners:tenant_restored",
    },
    caches=("tenants.cohort.caches:PERIOD_COUNTS", "tenants.cohort.caches:DAY_STATUS"),
    tags={
        "cohort": "Statuses of patients, MER indicators, and comparisons with a RADET.",
    },
)
