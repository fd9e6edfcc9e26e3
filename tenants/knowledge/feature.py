"""The registration of the feature ``knowledge`` with the platform."""

from core.feature_registry import Command, Feature, Permission, SettingsGroup

_STAFF = ("clinician", "case_manager", "tracking_officer")

feature = Feature(
    name="knowledge",
    tables=("tenants.knowledge.models",),
    permissions=(
        Permission("knowledge.read", "Read guidelines, and ask them questions", roles=("data_officer", *_STAFF)),
        Permission(
            "knowledge.write", "Add and remove guidelines, and see what they leave unanswered", roles=("data_officer",)
        ),
    ),
    settings={
        "knowledge": SettingsGroup(
            "tenants.knowledge.settings:KnowledgeSettings",
            "How questions find passages of guidelines.",
            "knowledge.write",
        )
    },
    commands={
        "knowledge": Command("tenants.knowledge.commands:knowledge", "Documents, and the questions that they answer."),
    },
)
