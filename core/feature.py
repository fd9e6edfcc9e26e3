"""What the kernel's own rooms register: their tables, routes, jobs and commands."""

from core.features import Command, Feature, Permission, SettingsGroup

feature = Feature(
    name="core",
    routers=("core.audit.api:router", "core.jobs.api:router", "core.preferences.api:router"),
    tables=(
        "core.tenancy.models",
        "core.tenancy.models_places",
        "core.jobs.models",
        "core.metering.models",
        "core.privacy.models",
        "core.audit.models",
        "core.audit.models_platform",
        "core.tenancy.archive.models",
        "core.identity.models",
        "core.installation.models",
    ),
    permissions=(
        Permission("audit.read", "Read who did what to which record."),
        Permission("jobs.read", "See the state and progress of jobs."),
        Permission("retention.write", "Change for how long what is not the record is kept."),
        Permission("settings.read", "See the tenant's settings."),
        Permission("settings.write", "Change the tenant's settings; each group asks for its own permission too."),
    ),
    audit_actions=(
        "api:audit:read",
        "cli:api_key:create",
        "settings:group:change",
        "system:retention:run",
        "cli:api_key:revoke",
        "cli:job:retry",
        "cli:job:discard",
        "cli:tenant:create",
        "cli:tenant:suspend",
        "cli:tenant:resume",
        "cli:tenant:purge",
        "cli:keys:rewrap",
        "cli:tenant:move",
        "cli:tenant:restore",
        "cli:tenant:export",
        "cli:tenant:import_archive",
        "cli:tenant:delete",
        "cli:tenant:undelete",
    ),
    settings={
        "retention": SettingsGroup(
            "core.retention.settings:retention_model",
            "For how many days what is not the record is kept.",
            "retention.write",
        )
    },
    commands={
        "archive": Command("core.tenancy.archive.commands:archive", "Make the keys that archives are sealed to"),
        "audit": Command("core.audit.commands:audit", "Seal and verify the audit of a tenant"),
        "database": Command("core.database.watch_commands:database", "Dead rows, old statistics, sizes"),
        "key": Command("core.identity.commands:key", "Make, list and revoke the API keys of a tenant"),
        "settings": Command("core.preferences.commands:settings", "See and change the settings of a tenant"),
        "status": Command("core.app.status_command:status", "Whether this installation can do its work"),
        "serve": Command("core.app.commands:serve", "Serve the API and its documentation"),
        "jobs": Command("core.jobs.commands:jobs", "Look at jobs; retry or discard dead letters"),
        "migrate": Command("core.database.commands:migrate", "Bring every schema to its newest migration; status"),
        "retention": Command("core.retention.commands:retention", "Remove now what is older than its days"),
        "tenant": Command("core.tenancy.commands:tenant", "Make, list, show, suspend and resume tenants"),
        "worker": Command("core.jobs.commands:worker", "Run jobs: the relay and a worker's threads"),
        "services": Command("core.services.commands:services", "Start, stop, look at the embedded database and Valkey"),
    },
)
