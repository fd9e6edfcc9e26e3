"""The registration of the feature ``knowledge`` with the platform."""

from core.feature_registry import Command, Feature

feature = Feature(
    name="knowledge",
    tables=("tenants.knowledge.models",),
    commands={
        "knowledge": Command("tenants.knowledge.commands:knowledge", "Documents, and the questions that they answer."),
    },
)
