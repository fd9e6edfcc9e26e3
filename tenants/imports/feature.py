"""The registration of the feature ``imports`` with the platform."""

from core.feature_registry import Command, Feature, Loop, Meter, Permission, RetentionRule, SettingsGroup
from tenants.imports.event_types import IMPORT_TYPES

feature = Feature(
    name="imports",
    routers=(
        "tenants.imports.api_facilities:router",
        "tenants.imports.api:router",
        "tenants.imports.fetching.api:router",
    ),
    jobs=("tenants.imports.jobs", "tenants.imports.fetching.jobs"),
    tables=(
        "tenants.imports.models",
        "tenants.imports.models_snapshots",
        "tenants.imports.models_waiting",
        "tenants.imports.fetching.models",
    ),
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
            "Upload files, fetch them from sources, import, cancel and undo",
            roles=(
                "data_officer",
                "service",
            ),
        ),
    ),
    commands={
        "import": Command("tenants.imports.commands:import_command", "Import a partner's records from files."),
        "facility": Command("tenants.imports.facility_commands:facility", "Confirm facilities that imports hold back."),
        "import-source": Command(
            "tenants.imports.fetching.commands:import_source", "Fetch records on a schedule from servers and folders."
        ),
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
        *(f"{source}:import_source:{act}" for source in ("api", "cli", "page") for act in ("change", "fetch")),
    ),
    retention={
        "rejected_rows": RetentionRule(
            "tenants.imports.repository:let_go_of_rejections",
            365,
            "The rejected rows of old imports, with the reasons.",
        ),
        "fetched_files": RetentionRule(
            "tenants.imports.fetching.repository:forget_unseen",
            400,
            "What was fetched of files that their source no longer lists.",
        ),
        "waiting_rows": RetentionRule(
            "tenants.imports.waiting:let_go",
            1095,
            "Rows that wait for people whom no import of their source has named. After these days they are rejected.",
        ),
    },
    loops=(Loop("import_sources", "tenants.imports.fetching.jobs:ask_for_due", seconds=60.0, first_seconds=20.0),),
    events=IMPORT_TYPES,
    tags={
        "imports": "Files imported into the records: upload, progress, rejections, undo.",
    },
)
