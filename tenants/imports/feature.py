"""The registration of the feature ``imports`` with the platform."""

from core.feature_registry import Command, Feature, Meter, Permission, RetentionRule, SettingsGroup
from tenants.imports.event_types import IMPORT_TYPES

feature = Feature(
    name="imports",
    routers=("tenants.imports.api_facilities:router", "tenants.imports.api:router"),
    jobs=("tenants.imports.jobs",),
    tables=("tenants.imports.models", "tenants.imports.models_snapshots", "tenants.imports.models_waiting"),
    permissions=(
        Permission(
            "imports.read",
            "See imports, their progress and their rejected rows",
            roles=(
                "data_officer",
                "service",
            ),
        ),
        Permission(
            "imports.write",
            "Upload files, import, cancel and undo",
            roles=(
                "data_officer",
                "service",
            ),
        ),
    ),
    commands={
        "import": Command("tenants.imports.commands:import_command", "Import a partner's records from files."),
        "facility": Command("tenants.imports.facility_commands:facility", "Confirm facilities that imports hold back."),
        "undo-import": Command("tenants.imports.commands:undo_command", "Undo an import that was applied."),
    },
    settings={
        "facilities": SettingsGroup(
            "tenants.imports.settings:FacilitySettings",
            "Facilities that imports hold back because they are like known ones, and the confirmations.",
            "imports.write",
        )
    },
    meters=(
        Meter("imports", "import", "Imports that were completed."),
        Meter("import_rows", "row", "Rows that completed imports read."),
    ),
    listeners={"tenant.restored": "tenants.imports.restored:end_unfinished"},
    audit_actions=(
        "import:records:start",
        "import:records:finish",
        "import:records:fail",
        "import:records:cancel",
        "import:records:undo",
        "import:records:undone",
        "import:rejections:read",
    ),
    retention={
        "rejected_rows": RetentionRule(
            "tenants.imports.repository:let_go_of_rejections",
            365,
            "The rejected rows of old imports, with the reasons.",
        ),
        "waiting_rows": RetentionRule(
            "tenants.imports.waiting:let_go",
            1095,
            "Rows that wait for people whom no import of their source has named. After these days they are rejected.",
        ),
    },
    events=IMPORT_TYPES,
    tags={
        "imports": "Files imported into the records: upload, progress, rejections, undo.",
    },
)
