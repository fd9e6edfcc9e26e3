"""The feature flags of this room."""

from core.flags import Flag

LANGUAGE_MODEL_WORDS = Flag(
    name="knowledge.language_model",
    about="A language model words answers where an installation has one. Off: answers are quotes alone.",
    owner="knowledge",
    default=True,
    kind="operational",
)
