"""What the room ``cohort`` registers with the kernel."""

from core.features import Command, Feature, Permission

feature = Feature(
    name="cohort",
    routers=("tenants.cohort.api:router", "tenants.cohort.radet_api:router"),
    jobs=("tenants.cohort.jobs",),
    tables=("tenants.cohort.models",),
    permissions=(
        Permission("cohort.read", "See status, indicators, completeness and the rules they follow"),
        Permission("cohort.write", "Change the rules of expected contacts and status"),
    ),
    audit_actions=(
        "api:status:read",
        "api:radet_disagreements:read",
        "api:cohort_settings:update",
        "job:cohort:rebuild",
    ),
    commands={
        "indicators": Command("tenants.cohort.commands:indicators", "MER indicators of a period, with their flows."),
        "cohort": Command("tenants.cohort.commands:cohort", "Who is on treatment, late, in IIT or gone, on a day."),
        "radet": Command("tenants.cohort.radet_commands:radet", "Compare partners' own statuses with the records."),
    },
    settings={"cohort": "tenants.cohort.settings:CohortSettings"},
    listeners={
        "records.changed": "tenants.cohort.listeners:records_changed",
        "settings.changed": "tenants.cohort.listeners:settings_changed",
        "imports.finished": "tenants.cohort.listeners:import_finished",
    },
)
