"""The registration of the feature ``alerts`` with the platform."""

from core.feature_registry import Feature, Permission, Schedule, SettingsGroup
from tenants.alerts.event_types import ALERT_TYPES

feature = Feature(
    name="alerts",
    routers=("tenants.alerts.api:router", "tenants.alerts.management_api:router"),
    jobs=("tenants.alerts.jobs",),
    tables=("tenants.alerts.models",),
    permissions=(
        Permission(
            "alerts.read",
            "See alerts and their history",
            roles=("data_officer", "clinician", "case_manager", "tracking_officer", "service"),
        ),
        Permission(
            "alerts.act",
            "Acknowledge, assign, snooze, resolve and reopen alerts",
            roles=("data_officer", "clinician", "case_manager", "tracking_officer", "service"),
        ),
        Permission("alerts.manage", "Change rules, routes, silences and on-call rotas of alerts"),
    ),
    audit_actions=(
        "alerts:people:read",
        *(
            f"{source}:alert:{act}"
            for source in ("api", "page", "channel")
            for act in ("acknowledge", "assign", "snooze", "resolve", "reopen")
        ),
        *(
            f"{source}:{thing}:{act}"
            for source in ("api", "page")
            for thing in ("alert_rule", "alert_route", "alert_policy", "on_call_rota")
            for act in ("create", "change", "remove")
        ),
        *(f"{source}:alert_silence:{act}" for source in ("api", "page") for act in ("create", "end")),
        *(f"{source}:on_call_override:{act}" for source in ("api", "page") for act in ("create", "remove")),
    ),
    settings={
        "alerts": SettingsGroup(
            "tenants.alerts.settings:AlertSettings",
            "When nobody is notified of alerts, and in which language.",
            "alerts.manage",
        )
    },
    events=ALERT_TYPES,
    subscribers={"risk.scored": "tenants.alerts.jobs:scored"},
    listeners={
        "jobs.given_up": "tenants.alerts.listeners:job_given_up",
        "models.drift": "tenants.alerts.listeners:drifted",
        "plugins.failing": "tenants.alerts.listeners:plugin_failing",
        "quotas.near": "tenants.alerts.listeners:quota_near",
        "plugin.channel_acts": "tenants.alerts.listeners:channel_acts",
    },
    schedules=(
        Schedule(
            "alerts.check",
            "*/15 * * * *",
            "tenants.alerts.jobs:enqueue_check",
            "Looks for missing data, failed jobs and viral loads that are not suppressed.",
        ),
    ),
    tags={"alerts": "Alerts, and what was done about them."},
)
