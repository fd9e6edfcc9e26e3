"""The registration of the feature ``quality`` with the platform."""

from core.feature_registry import Command, Feature, Permission, RetentionRule

feature = Feature(
    name="quality",
    routers=("tenants.quality.api:router", "tenants.quality.api_linkage:router"),
    jobs=("tenants.quality.jobs",),
    tables=("tenants.quality.models",),
    permissions=(
        Permission("quality.read", "See reports on the quality of the records", roles=("data_officer",)),
        Permission(
            "quality.write", "Ask for reports and for a search for people recorded twice", roles=("data_officer",)
        ),
        Permission(
            "identities.read", "See which patients may be, or are merged as, one person", roles=("data_officer",)
        ),
        Permission(
            "identities.write", "Merge patients who are one person, refuse pairs, unmerge", roles=("data_officer",)
        ),
    ),
    audit_actions=(
        "job:quality:report",
        "job:quality:link",
        "api:candidate:list",
        "api:candidate:read",
        "api:candidate:merge",
        "api:candidate:refuse",
        "api:candidate:undo",
        "api:patient:merge",
        "api:patient:unmerge",
        "api:patient:identity",
    ),
    commands={
        "quality": Command("tenants.quality.commands:quality", "Measure the records, and find people recorded twice."),
    },
    listeners={"imports.completed": "tenants.quality.listeners:import_finished"},
    retention={
        "quality_reports": RetentionRule(
            "tenants.quality.repository:delete_old_reports",
            1095,
            "Old reports on the quality of the records, except those that a trend needs.",
        )
    },
    tags={
        "quality": "Scores of the quality of records, and the measures behind them.",
        "people recorded twice": "Pairs of patients who may be one person: find, merge, refuse, end a merge.",
    },
)
