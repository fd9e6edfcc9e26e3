"""Why a fetch of documents failed: a sentence and a remedy for each code."""

from __future__ import annotations

from typing import Final

from core.errors import phrase
from tenants.imports.fetching import reasons

REASONS: Final[dict[str, tuple[str, str]]] = {
    **reasons.REASONS,
    "access_denied": (
        phrase("the source denies access"),
        phrase("check who may read the source, and the settings of the source here"),
    ),
    "bad_settings": (
        phrase("the settings of the source are not complete or not valid"),
        phrase("correct the settings of the source"),
    ),
    "disabled": (phrase("the source is disabled"), phrase("enable the source")),
    "no_instance": (phrase("the source was removed"), phrase("set it up again")),
    "nothing_listed": (
        phrase("the source names no document, though it had some"),
        phrase("check the source. To withdraw all its documents, remove the source"),
    ),
    "plugin_failed": (
        phrase("the plugin of the source failed"),
        phrase("look at the log of the instance; the fetch is repeated"),
    ),
    "plugin_missing": (phrase("the plugin of the source is not installed"), phrase("ask the operator to install it")),
}
"""By code: what is wrong, and what to do. Those of imports, where they do not speak of importers."""


def problem_of(code: str) -> str:
    """Return what is wrong, in a sentence; empty for no code."""
    return REASONS[code][0] if code in REASONS else code


def remedy_of(code: str) -> str:
    """Return what to do about it; empty for no code."""
    return REASONS[code][1] if code in REASONS else ""
