"""What the feature ``reports`` registers with the platform."""

from core.feature_registry import Command, Feature, Permission

feature = Feature(
    name="reports",
    routers=("tenants.reports.api:router",),
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
    ),
    audit_actions=("report:patient:read", "report:data_value_set:make"),
    commands={
        "report": Command("tenants.reports.commands:report", "Export line lists, the RADET, MER tables, DHIS2 values."),
    },
    tags={
        "reports": "Line lists, indicator tables and DHIS2 data value sets.",
    },
)
