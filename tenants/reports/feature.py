"""The registration of the feature ``reports`` with the platform."""

from core.feature_registry import Command, Feature, Loop, Permission, RetentionRule, SettingsGroup
from tenants.reports.event_types import REPORT_TYPES

feature = Feature(
    name="reports",
    routers=("tenants.reports.api:router", "tenants.reports.files_api:router"),
    jobs=("tenants.reports.jobs",),
    tables=("tenants.reports.models",),
    permissions=(
        Permission(
            "reports.read",
            "Export line lists and indicator tables, without personal identifiers",
            roles=(
                "data_officer",
                "viewer",
                "service",
            ),
        ),
        Permission(
            "reports.identify", "Export lists with programme identifiers and hospital numbers", roles=("data_officer",)
        ),
        Permission("reports.write", "Schedule reports, and delete those of others", roles=("data_officer",)),
    ),
    audit_actions=(
        "report:patient:read",
        "report:data_value_set:make",
        "report:file:request",
        "report:file:download",
        "report:file:delete",
        "job:report_file:make",
        "report:schedule:create",
        "report:schedule:delete",
        "report:schedule:stop",
        "job:report_file:mail",
        "job:report_file:skip",
        "job:report_schedule:mail",
    ),
    settings={
        "reports": SettingsGroup(
            "tenants.reports.settings:ReportSettings",
            "How long files of reports stay, and where counts go in DHIS2.",
            "reports.write",
        )
    },
    retention={
        "report_files": RetentionRule(
            "tenants.reports.files:delete_old", 120, "Old reports, whose files have expired long before."
        )
    },
    listeners={
        "tenant.restored": "tenants.reports.restored:end_unfinished",
        "person.erased": "tenants.reports.erasure:person_erased",
    },
    events=REPORT_TYPES,
    subscribers={
        "reports.made": "tenants.reports.letters:send",
        "reports.schedule_stopped": "tenants.reports.stop_letters:send",
    },
    loops=(Loop("report_schedules", "tenants.reports.jobs:ask_for_due", seconds=300.0, first_seconds=30.0),),
    commands={
        "report": Command("tenants.reports.commands:report", "Export line lists, the RADET, MER tables, DHIS2 values."),
    },
    tags={
        "reports": "Line lists, indicator tables and DHIS2 data value sets.",
    },
)
