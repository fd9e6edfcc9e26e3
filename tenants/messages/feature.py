"""The registration of the feature ``messages`` with the platform."""

from core.feature_registry import Feature, Meter, Permission, RetentionRule, Schedule, SettingsGroup

_STAFF = ("clinician", "case_manager", "tracking_officer")

feature = Feature(
    name="messages",
    routers=(
        "tenants.messages.api:router",
        "tenants.messages.api_consents:router",
        "tenants.messages.api_templates:router",
    ),
    tables=("tenants.messages.models",),
    jobs=("tenants.messages.sending", "tenants.messages.planning"),
    permissions=(
        Permission("consents.read", "See what patients consent to", roles=("data_officer", *_STAFF)),
        Permission("consents.write", "Record what patients consent to, and withdrawals", roles=_STAFF),
        Permission("messages.read", "See messages to and from patients", roles=("data_officer", *_STAFF)),
        Permission("messages.send", "Send messages to patients, and cancel those that wait", roles=_STAFF),
        Permission("messages.answer", "Read incoming messages that are not clear, and settle them", roles=_STAFF),
        Permission("templates.read", "See the texts of messages", roles=("data_officer", *_STAFF)),
        Permission("templates.write", "Change the texts of messages, and the settings of messages"),
    ),
    audit_actions=(
        "messages:consent:give",
        "messages:consent:withdraw",
        "messages:consent:read",
        "messages:template:save",
        "messages:template:retire",
        "messages:message:list",
        "messages:message:read",
        "messages:message:send",
        "messages:message:cancel",
        "messages:incoming:list",
        "messages:incoming:settle",
    ),
    settings={
        "messages": SettingsGroup(
            "tenants.messages.settings:MessageSettings",
            "Which gateway sends messages to patients, when, and how many.",
            "templates.write",
        )
    },
    timeline=("tenants.messages.history:entries_of_patient",),
    listeners={
        "plugin.sms_reports": "tenants.messages.incoming:sms_reports",
        "plugin.sms_received": "tenants.messages.incoming:sms_received",
        "person.erased": "tenants.messages.incoming:person_erased",
        "tenant.restored": "tenants.messages.incoming:tenant_restored",
    },
    retention={
        "unmatched_messages": RetentionRule(
            "tenants.messages.incoming:delete_unmatched", 90, "Messages of phones that belong to no known patient."
        )
    },
    meters=(
        Meter("sms_segments", "segment", "Parts of messages that a gateway took.", ("purpose", "gateway"), extra="sms"),
    ),
    schedules=(
        Schedule(
            "messages.reminders",
            "0 8 * * *",
            "tenants.messages.planning:enqueue_plan",
            "Reminders of expected contacts, for patients who consented to them.",
        ),
    ),
    tags={
        "consents": "What patients consent to.",
        "messages": "Messages to patients, their texts, and what patients answer.",
    },
)
