"""The kinds of rules: what each looks for, and the defaults that apply until a partner chooses otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from core.web.texts import marked

Stream = Literal["clinical", "platform"]
Severity = Literal["info", "low", "medium", "high", "critical"]
Kind = Literal[
    "risk_high", "late", "iit", "viral_load", "no_data", "drift", "dead_jobs", "plugin_failing", "quota_near"
]
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "low", "medium", "high", "critical")
"""From the least to the greatest."""
ON_LISTS: Final = ("risk_high", "late", "iit")
"""The rules that look at scorings."""
PEOPLE: Final = (*ON_LISTS, "viral_load")
"""The rules about people of a facility. Channels get their alerts in one message for each facility."""
DIGEST: Final = "digest"
"""The type of the alert that stands for these in channels. No rule raises it, and no list shows it."""


@dataclass(frozen=True, slots=True)
class RuleKind:
    """One kind of rule.

    Attributes:
        name: stable, as the API says it.
        title: what it is called.
        meaning: when it raises an alert.
        stream: of its alerts.
        severity, threshold, repeat_hours: the defaults.
        unit: what the threshold counts: ``people``, ``copies``, ``days``, ``jobs`` or ``percent``; empty if it has
            none.
        measured: whether something of the platform looks for it. The others wait for an event that a room or a
            plugin may publish, and none does yet.
    """

    name: Kind
    title: str
    meaning: str
    stream: Stream
    severity: Severity
    threshold: int
    unit: str
    repeat_hours: int = 20
    measured: bool = True


KINDS: Final[dict[str, RuleKind]] = {
    kind.name: kind
    for kind in (
        RuleKind(
            "risk_high",
            marked("High risk"),
            marked("A scoring put at least so many people of a facility at high risk, within its capacity."),
            "clinical",
            "medium",
            1,
            "people",
        ),
        RuleKind(
            "late",
            marked("Became late"),
            marked("At least so many people of a facility are late, and not yet interrupted."),
            "clinical",
            "medium",
            1,
            "people",
        ),
        RuleKind(
            "iit",
            marked("Newly interrupted"),
            marked("Somebody's treatment counts as interrupted since at most so many days."),
            "clinical",
            "high",
            28,
            "days",
        ),
        RuleKind(
            "viral_load",
            marked("Viral load not suppressed"),
            marked(
                "The latest viral load of a person, of the last 12 months, is at the threshold or above. 1,000"
                " copies/mL is the limit of PEPFAR MER (TX_PVLS) and of WHO's definition of treatment failure."
            ),
            "clinical",
            "high",
            1_000,
            "copies",
        ),
        RuleKind(
            "no_data",
            marked("No new data"),
            marked(
                "The records of a facility end more than so many days ago, or a source has no new file for as long."
            ),
            "platform",
            "medium",
            14,
            "days",
        ),
        RuleKind(
            "drift",
            marked("Drift"),
            marked(
                "Of the newest month with 100 known outcomes, clearly more or fewer people interrupted treatment than"
                " was predicted. It is measured each night."
            ),
            "platform",
            "medium",
            0,
            "",
        ),
        RuleKind(
            "dead_jobs",
            marked("Failed jobs"),
            marked("At least so many jobs of a kind were given up, and wait for an operator."),
            "platform",
            "high",
            1,
            "jobs",
        ),
        RuleKind(
            "plugin_failing",
            marked("Failing plugin"),
            marked("A plugin fails again and again."),
            "platform",
            "high",
            0,
            "",
        ),
        RuleKind(
            "quota_near",
            marked("Quota nearly used"),
            marked("At least so many percent of a quota are used."),
            "platform",
            "medium",
            80,
            "percent",
        ),
    )
}


def rank(severity: str) -> int:
    """Return the place of a severity in their order, from the least."""
    order: tuple[str, ...] = SEVERITIES
    return order.index(severity)


def at_least(severity: str, least: str) -> bool:
    """Return whether a severity is at or above another."""
    return rank(severity) >= rank(least)
