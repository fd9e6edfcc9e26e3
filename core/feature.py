"""The registration of the kernel's own rooms: their tables, routes, jobs and commands."""

from core.events.kernel_types import KERNEL_TYPES
from core.feature_registry import Command, Feature, Loop, Meter, Permission, RetentionRule, SettingsGroup
from core.webhooks.event_types import WEBHOOK_TYPES

feature = Feature(
    name="core",
    routers=(
        "core.audit.api:router",
        "core.identity.api:router",
        "core.identity.people.api:router",
        "core.identity.oidc.api:router",
        "core.identity.tenant_roles.api:router",
        "core.jobs.api:router",
        "core.webhooks.api:router",
        "core.plugins.api:router",
        "core.events.api:router",
        "core.jobs.operator_api:router",
        "core.jobs.rules_api:router",
        "core.preferences.api:router",
        "core.schedules.api:router",
        "core.tenancy.origins.api:router",
        "core.connections.api:router",
        "core.error_groups.api:router",
        "core.app.operator_health:router",
        "core.app.operator_events_api:router",
        "core.metering.api:router",
        "core.metering.api:operator_router",
    ),
    public_routers=("core.identity.oidc.back_channel:router", "core.integrations.hooks_api:router"),
    jobs=("core.jobs.announcing", "core.jobs.deliveries", "core.webhooks.dispatch", "core.integrations.listeners"),
    credentials=("core.identity.keys:KIND", "core.identity.people.sessions:KIND"),
    tables=(
        "core.tenancy.models",
        "core.tenancy.models_places",
        "core.tenancy.origins.models",
        "core.jobs.models",
        "core.events.models",
        "core.metering.models",
        "core.metering.models_hours",
        "core.privacy.models",
        "core.audit.models",
        "core.audit.models_platform",
        "core.tenancy.archive.models",
        "core.identity.models",
        "core.identity.people.models",
        "core.identity.oidc.models",
        "core.identity.people.factor_models",
        "core.identity.tenant_roles.models",
        "core.idempotency.models",
        "core.installation.models",
        "core.connections.models",
        "core.error_groups.models",
        "core.webhooks.models",
        "core.plugins.instance_models",
        "core.plugins.permission_models",
        "core.schedules.models",
        "core.cache.models",
    ),
    permissions=(
        Permission("audit.read", "Read who did what to which record"),
        Permission(
            "jobs.read",
            "See the state and progress of jobs",
            roles=(
                "data_officer",
                "service",
            ),
        ),
        Permission("jobs.cancel", "Cancel jobs that wait or run", roles=("data_officer", "service")),
        Permission("keys.read", "See the partner's API keys, without their secrets"),
        Permission("keys.write", "Create and revoke API keys, with at most one's own permissions"),
        Permission("people.read", "See the people of the partner, and what they may do"),
        Permission("people.write", "Invite, change and remove people, and make links to new passwords"),
        Permission("roles.write", "Create, change and delete roles of the partner, with at most one's own permissions"),
        Permission("sso.manage", "Set up, test and enforce sign-in by the partner's own provider; claim domains"),
        Permission("events.read", "Receive the partner's events as they happen", roles=("data_officer", "service")),
        Permission("webhooks.read", "See the webhooks, without their secrets, and the log of their deliveries"),
        Permission("webhooks.write", "Create, change and remove webhooks, and send deliveries again"),
        Permission(
            "plugins.read",
            "See the installed plugins, the partner's instances of them without their secrets, their log",
        ),
        Permission("plugins.write", "Set up, change, enable and remove instances of plugins, and test them"),
        Permission("retention.write", "Change how long to retain rows that are not part of the record"),
        Permission(
            "operations.read",
            "See the health of the installation, its partners and jobs",
            roles=("platform_admin", "platform_support"),
            operator=True,
        ),
        Permission(
            "operations.write",
            "Suspend and resume partners; retry and discard dead jobs; hold breakers open or closed",
            roles=("platform_admin",),
            operator=True,
        ),
        Permission("usage.read", "See what the partner uses, by meter, and the uses behind each figure"),
        Permission("settings.read", "See the partner's settings", roles=("data_officer",)),
        Permission("settings.write", "Change the partner's settings; each group asks for its own permission too"),
    ),
    audit_actions=(
        "api:audit:read",
        *(f"{source}:api_key:{act}" for source in ("api", "page") for act in ("create", "revoke")),
        "cli:api_key:create",
        *(f"{source}:person:{act}" for source in ("api", "cli", "page") for act in ("add", "change", "remove")),
        *(
            f"{source}:person:{act}"
            for source in ("api", "cli", "page")
            for act in ("link", "revoke_links", "deactivate", "reactivate")
        ),
        *(f"{source}:person:second_factor_reset" for source in ("api", "cli", "page")),
        "page:person:sign_in",
        "page:person:sign_in_fail",
        "page:person:sign_out",
        "page:person:end_session",
        "page:person:switch_tenant",
        "page:person:password_set",
        "page:person:link_use",
        "page:person:second_factor_set",
        "page:person:second_factor_fail",
        "page:person:second_factor_remove",
        "page:person:recovery_codes",
        "api:person:list",
        "api:origins:change",
        *(f"{source}:sso:{act}" for source in ("api", "cli", "page") for act in ("change", "remove")),
        *(
            f"{source}:sso_domain:{act}"
            for source in ("api", "cli", "page")
            for act in ("add", "prove", "lose", "remove")
        ),
        *(f"page:sso:{act}" for act in ("reject", "break_glass")),
        "api:sso:log_out",
        *(f"{source}:role:{act}" for source in ("api", "cli", "page") for act in ("create", "change", "delete")),
        "page:audit:read",
        "cli:operator:add",
        "cli:operator:remove",
        "settings:group:change",
        *(f"{source}:schedule:change" for source in ("api", "cli", "page")),
        "system:retention:run",
        "cli:api_key:revoke",
        *(f"{source}:job:{act}" for source in ("api", "cli", "page") for act in ("retry", "retry_all", "discard")),
        *(
            f"{source}:job:{act}"
            for source in ("api", "cli", "page")
            for act in ("pause", "resume", "limit", "unlimit", "cancel")
        ),
        *(f"{source}:breaker:{act}" for source in ("api", "cli", "page") for act in ("force", "release")),
        *(f"{source}:error:{act}" for source in ("api", "cli", "page") for act in ("resolve", "ignore", "reopen")),
        *(
            f"{source}:webhook:{act}"
            for source in ("api", "cli", "page")
            for act in ("create", "change", "remove", "enable", "disable", "rotate", "resend")
        ),
        *(
            f"{source}:plugin:{act}"
            for source in ("api", "cli", "page")
            for act in ("create", "change", "remove", "enable", "disable", "rotate", "test", "address")
        ),
        *(f"cli:plugin:{act}" for act in ("allow", "forbid")),
        *(f"{source}:cache:empty" for source in ("cli", "page")),
        "job:webhook:disable",
        "cli:tenant:create",
        *(f"{source}:tenant:{act}" for source in ("cli", "page") for act in ("suspend", "resume")),
        "cli:tenant:purge",
        "cli:keys:rewrap",
        "cli:tenant:move",
        "cli:tenant:restore",
        "cli:tenant:export",
        "cli:tenant:import_archive",
        "cli:tenant:delete",
        "cli:tenant:undelete",
        "cli:usage:correct",
        "cli:usage:resume",
    ),
    events=(*KERNEL_TYPES, *WEBHOOK_TYPES),
    subscribers={
        "people.link_created": "core.identity.people.link_mail:send_link",
        "people.second_factor_reset": "core.identity.people.factor_reset:send_notice",
        "webhooks.endpoint_disabled": "core.webhooks.letters:send_notice",
    },
    settings={
        "retention": SettingsGroup(
            "core.retention.settings:retention_model",
            "How many days to retain rows that are not part of the record.",
            "retention.write",
        ),
        "sign_in": SettingsGroup(
            "core.identity.people.factor_rules:SignInSettings", "How the people of the tenant sign in.", "people.write"
        ),
    },
    listeners={
        "person.erased": "core.idempotency.clearing:forget_bodies",
        "settings.changed": "core.identity.people.factor_rules:copy_rule",
        "tenant.restored": "core.integrations.restored:tenant_restored",
        "events.published": "core.integrations.listeners:event_published",
    },
    observers=("core.cache.generations:event_published",),
    meters=(
        Meter(
            "storage_bytes", "byte", "Tables, indexes and stored files of a tenant, measured once a day.", gauge=True
        ),
        Meter("database_bytes", "byte", "Tables and indexes of a tenant, measured once a day.", gauge=True),
        Meter("blob_bytes", "byte", "Stored files of a tenant, measured once a day.", gauge=True),
        Meter("job_seconds", "second", "Time that the tenant's jobs ran.", dimensions=("feature",)),
        Meter("request_seconds", "second", "Time that the tenant's requests took.", dimensions=("feature",)),
        Meter("storage_gb_days", "GB-day", "A thousand million bytes that a tenant stores for a day, measured daily."),
        Meter("api_calls", "call", "Requests of API keys, recorded every quarter of an hour."),
        Meter(
            "active_people",
            "person",
            "People of a tenant who used its pages: each is one, however often.",
            dimensions=("person",),
            unique_by="person",
            extra="new_people",
        ),
        Meter("webhook_deliveries", "delivery", "Events that a receiver of a tenant's webhooks took."),
        Meter("plugin_requests", "request", "Requests that the platform sent for plugins.", dimensions=("plugin",)),
    ),
    retention={
        "plugin_failures": RetentionRule(
            "core.plugins.instances:forget_failures",
            30,
            "The log of what failed in instances of plugins, for their authors.",
        ),
    },
    loops=(
        # Soon after a start: a worker that is restarted every half hour would else never look.
        Loop("retention", "core.retention.service:look", seconds=3600.0, first_seconds=60.0),
        Loop("sign_in_events", "core.identity.people.sign_in_events:copy_all", seconds=5.0),
        Loop("roles", "core.identity.tenant_roles.changes:settle_all", seconds=60.0),
        Loop("schedules", "core.schedules.firing:look", seconds=20.0),
        Loop("usage", "core.metering.rollup:look", seconds=300.0, first_seconds=30.0),
        Loop("dead_letters", "core.jobs.growth:look", seconds=30.0),
        Loop("error_groups", "core.error_groups.service:remove_unseen", seconds=3600.0, first_seconds=180.0),
        Loop("idempotency", "core.idempotency.clearing:remove_expired", seconds=3600.0, first_seconds=120.0),
    ),
    dependencies=(
        "core.error_groups.sentry:ERROR_TRACKER",
        "core.webhooks.dispatch:RECEIVERS",
        "core.plugins.request_sender:RECEIVERS",
        "core.plugins.hosts:PROCESSES",
        "core.plugins.hosts:MODELS",
    ),
    commands={
        "backup": Command("core.tenancy.backup.commands:backup", "Back up one tenant, or all, as iit tenant backup"),
        "archive": Command("core.tenancy.archive.commands:archive", "Make the keys that archives are sealed to"),
        "audit": Command("core.audit.commands:audit", "Seal and verify the audit of a tenant"),
        "breaker": Command("core.connections.commands:breaker", "The breakers of connections: see, open, close"),
        "cache": Command("core.cache.commands:cache_commands", "Answers that Redis stores: see, empty"),
        "channel": Command("core.plugins.channel_commands:channel", "List and test the alert channels of a tenant"),
        "errors": Command("core.error_groups.commands:errors", "Unexpected errors: list, resolve, ignore"),
        "database": Command("core.database.watch_commands:database", "Dead rows, old statistics, sizes"),
        "people": Command(
            "core.identity.people.commands:people", "Add, list and remove people; make links to passwords"
        ),
        "sso": Command("core.identity.oidc.commands:sso", "Set up and test sign-in by a tenant's own provider"),
        "roles": Command(
            "core.identity.tenant_roles.commands:roles", "List the roles of a tenant; create, change and delete its own"
        ),
        "access": Command("core.access.commands:access", "Explain what a person or a key may do, and why"),
        "keys": Command("core.privacy.commands:keys", "The keys that protect personal data: rotate the master key"),
        "key": Command("core.identity.commands:key", "Make, list and revoke the API keys of a tenant"),
        "schedules": Command("core.schedules.commands:schedules", "Change or pause the repeated work of a tenant"),
        "settings": Command("core.preferences.commands:settings", "See and change the settings of a tenant"),
        "status": Command("core.app.status_command:status", "Whether this installation can do its work"),
        "serve": Command("core.app.commands:serve", "Serve the API and its documentation"),
        "jobs": Command("core.jobs.commands:jobs", "Look at jobs; retry or discard dead letters"),
        "migrate": Command("core.database.commands:migrate", "Migrate every schema to its newest migration"),
        "plugin": Command("core.plugins.commands:plugin", "See the installed plugins, and set them up for tenants"),
        "retention": Command("core.retention.commands:retention", "Delete rows that are older than their retention"),
        "tenant": Command("core.tenancy.commands:tenant", "Make, list, show, suspend and resume tenants"),
        "webhooks": Command("core.webhooks.commands:webhooks", "Send a tenant's events to other systems"),
        "usage": Command("core.metering.commands:usage", "What tenants used, corrections, and the roll-up"),
        "worker": Command("core.jobs.commands:worker", "Run jobs: the relay and a worker's threads"),
        "services": Command("core.services.commands:services", "Start, stop, look at the embedded database and Valkey"),
    },
    tags={
        "identity": "The caller, and the API keys of the tenant.",
        "sso": "Sign-in by the tenant's own OpenID Connect provider, and the domains that it proved.",
        "people": "The people of the tenant, their roles, and links by which they choose a password.",
        "audit": "Who did what, to which subject, and when.",
        "operators": "The installation, for its operators: connections, jobs and health.",
        "jobs": "Work in the background: its state and progress.",
        "settings": "The tenant's settings, by group.",
        "events": "The tenant's public events as they happen.",
        "plugins": "Installed plugins, and the tenant's instances of them: channels, gateways, listeners, importers.",
        "usage": "What the tenant used, by meter, and the uses behind each figure.",
        "webhooks": "Addresses that receive the tenant's events, and the log of what was sent to them.",
    },
)
