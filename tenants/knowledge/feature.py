"""The registration of the feature ``knowledge`` with the platform."""

from core.feature_registry import Command, Feature, Meter, Permission, RetentionRule, SettingsGroup

_STAFF = ("clinician", "case_manager", "tracking_officer")

feature = Feature(
    name="knowledge",
    routers=("tenants.knowledge.api_ask:router",),
    tables=("tenants.knowledge.models", "tenants.knowledge.models_questions"),
    permissions=(
        Permission("knowledge.read", "Read guidelines, and ask them questions", roles=("data_officer", *_STAFF)),
        Permission(
            "knowledge.write", "Add and remove guidelines, and see what they leave unanswered", roles=("data_officer",)
        ),
    ),
    audit_actions=(
        "api:knowledge_facts:read",
        "api:knowledge_question:feedback",
        "api:knowledge_question:handle",
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
        )
    },
    meters=(
        Meter("knowledge_questions", "question", "Questions to guidelines, when they are stored.", ("outcome",)),
        Meter(
            "language_model_tokens",
            "token",
            "Tokens that a language model read or wrote, when it has answered.",
            ("model", "direction"),
        ),
        Meter(
            "language_model_cost", "US dollar", "Price of a language model's answers, by the price list.", ("model",)
        ),
        Meter(
            "knowledge_egress_blocked",
            "question",
            "Questions that did not leave for a language model, as the tenant's policy says.",
            ("reason",),
        ),
    ),
    dependencies=("tenants.knowledge.language_model:LANGUAGE_MODEL",),
    tags={"knowledge": "Guidelines of the partner, and questions to them."},
    commands={
        "knowledge": Command("tenants.knowledge.commands:knowledge", "Documents, and the questions that they answer."),
    },
)
