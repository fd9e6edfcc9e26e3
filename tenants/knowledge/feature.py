"""The registration of the feature ``knowledge`` with the platform."""

from core.feature_registry import Command, Feature, Meter, Permission, RetentionRule, Schedule, SettingsGroup
from tenants.knowledge.event_types import KNOWLEDGE_TYPES

_STAFF = ("clinician", "case_manager", "tracking_officer")

feature = Feature(
    name="knowledge",
    routers=(
        "tenants.knowledge.api:router",
        "tenants.knowledge.api_ask:router",
        "tenants.knowledge.operator_api:router",
    ),
    jobs=("tenants.knowledge.jobs",),
    tables=("tenants.knowledge.models", "tenants.knowledge.models_questions"),
    permissions=(
        Permission("knowledge.read", "Read guidelines, and ask them questions", roles=("data_officer", *_STAFF)),
        Permission(
            "knowledge.write", "Add and remove guidelines, and see what they leave unanswered", roles=("data_officer",)
        ),
    ),
    audit_actions=(
        "api:knowledge_facts:read",
        *(f"{source}:knowledge_question:{act}" for source in ("api", "page") for act in ("feedback", "handle")),
        *(f"{source}:knowledge_document:add" for source in ("api", "cli", "page", "fetch")),
        *(f"{source}:knowledge_document:forget" for source in ("api", "cli", "page")),
        *(f"{source}:knowledge_source:fetch" for source in ("api", "cli", "page")),
    ),
    settings={
        "answers": SettingsGroup(
            "tenants.knowledge.settings_answers:AnswerSettings",
            "How questions to guidelines are answered, and where they may be sent.",
            "knowledge.write",
        ),
        "knowledge": SettingsGroup(
            "tenants.knowledge.settings:KnowledgeSettings",
            "How questions find passages of guidelines.",
            "knowledge.write",
        ),
    },
    retention={
        "knowledge_questions": RetentionRule(
            "tenants.knowledge.questions:delete_old", 365, "Questions to guidelines, which show what these lack."
        ),
        "superseded_documents": RetentionRule(
            "tenants.knowledge.service:delete_superseded",
            1095,
            "Versions of guidelines that a later one superseded.",
        ),
    },
    schedules=(
        Schedule(
            "knowledge.fetch",
            "0 1 * * *",
            "tenants.knowledge.sources:enqueue_night",
            "Fetches the guidelines of all sources.",
        ),
    ),
    listeners={
        "settings.changed": "tenants.knowledge.sources:settings_changed",
        "tenant.restored": "tenants.knowledge.sources:tenant_restored",
    },
    events=KNOWLEDGE_TYPES,
    meters=(
        Meter(
            "knowledge_pages",
            "page",
            "Pages of documents that were read and embedded; of a format without pages, 500 words count as one.",
        ),
        Meter(
            "knowledge_questions",
            "question",
            "Questions to guidelines, when they are stored.",
            ("outcome",),
            extra="ai_answers",
        ),
        Meter(
            "language_model_tokens",
            "token",
            "Tokens that a language model read or wrote, when it has answered.",
            ("model", "direction"),
            extra="ai_answers",
        ),
        Meter(
            "language_model_cost",
            "US dollar",
            "Price of a language model's answers, by the price list.",
            ("model",),
            extra="ai_answers",
        ),
        Meter(
            "language_model_seconds",
            "second",
            "Time of a call of the language model, until its sentences are checked.",
            ("model", "outcome"),
        ),
        Meter(
            "knowledge_egress_blocked",
            "question",
            "Questions that did not leave for a language model, as the tenant's policy says.",
            ("reason",),
        ),
    ),
    flags=("tenants.knowledge.flags:LANGUAGE_MODEL_WORDS",),
    dependencies=("tenants.knowledge.language_model:LANGUAGE_MODEL",),
    tags={"knowledge": "Guidelines of the partner, and questions to them."},
    commands={
        "knowledge": Command("tenants.knowledge.commands:knowledge", "Documents, and the questions that they answer."),
    },
)
