"""Words of the pages of feature flags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.web.texts import gettext as _
from core.web.texts import marked

if TYPE_CHECKING:
    from core.flags import Flag
    from core.flags.definition import Definition
    from core.flags.service import Change, FlagState

ABOUT: Final = {
    "knowledge.language_model": marked(
        "A language model words answers where an installation has one. Off: answers are quotes alone."
    ),
}


def about(flag: Flag) -> str:
    """Return what a flag switches, in words; in those of its feature if the platform does not know it."""
    return _(ABOUT[flag.name]) if flag.name in ABOUT else flag.about


def state(flag: FlagState) -> str:
    """Return how a flag is set, in words."""
    if flag.definition is None:
        return _("On by default") if flag.flag.default else _("Off by default")
    return _set(flag.definition)


def level(flag: FlagState) -> str:
    """Return the look of the badge of a flag's state."""
    on = flag.flag.default if flag.definition is None else flag.definition.enabled
    return "low" if on else "high"


def change(entry: Change) -> str:
    """Return how a change set the flag."""
    return _("Back to its default") if entry.definition is None else _set(entry.definition)


def _set(definition: Definition) -> str:
    if not definition.enabled:
        return _("Off")
    if len(definition.strategies) == 1:
        [strategy] = definition.strategies
        share = strategy.parameters.get("rollout")
        if share is not None and not strategy.constraints:
            return _("On for {percent} %").format(percent=share) if share != "100" else _("On")
    return _("On for some") if definition.strategies else _("On")
