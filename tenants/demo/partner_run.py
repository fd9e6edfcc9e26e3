"""A run of the main job for one partner, as the summary shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tenants.demo.partners import Partner
from tenants.demo.steps import Step, step

SHOWN = 5
"""People of each list that the summary shows."""


@dataclass(slots=True)
class PartnerRun:
    """The main job for one partner: its steps, and the answer of each command.

    Attributes:
        partner: whose.
        steps: the commands run, in order, with their times.
        answers: the JSON answer of each command, by its name.
    """

    partner: Partner
    steps: list[Step] = field(default_factory=list)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self, name: str, *words: str) -> dict[str, Any]:
        """Run ``iit WORDS`` as the step ``name`` and keep its answer."""
        done = step(*words)
        self.steps.append(done)
        self.answers[name] = done.answer
        return done.answer

    def to_json(self) -> dict[str, Any]:
        """As the summary's JSON shows it."""
        lists = self.answers["worklist"]
        return {
            "slug": self.partner.slug,
            "name": self.partner.name,
            "simulated": self.partner.simulated,
            "brought": self.partner.summary,
            "import": _without(self.answers["import"], "problems"),
            "import_again": self.answers["import_again"]["counts"],
            "refused": self.answers["import"]["problems"],
            "indicators": self.answers["indicators"],
            "training": self.answers["train"],
            "scored": self.answers["score"],
            "lists": {
                kind: {
                    "candidates": found["candidates"],
                    "listed": len(found["people"]),
                    "first": found["people"][:SHOWN],
                }
                for kind, found in lists.items()
            },
            "explained": _without(self.answers.get("explain", {}), "features"),
            "seconds": {done.command: done.seconds for done in self.steps},
        }


def _without(answer: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != name}
