"""The demo of one partner, as the summary shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tenants.demo.guidelines import Guideline
from tenants.demo.partners import Delivery, Partner
from tenants.demo.steps import Step, step

SHOWN = 5
"""People of each list in the summary."""


@dataclass(slots=True)
class PartnerRun:
    """The demo of one partner: its steps, and the answer of each command.

    Attributes:
        partner: the partner.
        steps: the commands, in order, with their times.
        answers: name of the step -> the command's JSON answer.
    """

    partner: Partner
    steps: list[Step] = field(default_factory=list)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self, name: str, *words: str) -> dict[str, Any]:
        """Run ``iit WORDS`` as the step ``name``, store its answer and return it."""
        finished_step = step(*words)
        self.steps.append(finished_step)
        self.answers[name] = finished_step.answer
        return finished_step.answer

    def deliver(self, name: str, delivery: Delivery) -> dict[str, Any]:
        """Import a delivery as the step ``name``."""
        return self.run(name, "import", self.partner.slug, *map(str, delivery.paths), *delivery.options)

    def add(self, guideline: Guideline) -> dict[str, Any]:
        """Add a guideline as the step ``guideline_`` and its title. The same file a second time adds nothing."""
        options = ("--title", guideline.title, "--language", guideline.language)
        words = ("knowledge", "add", self.partner.slug, str(guideline.path), *options)
        return self.run(f"guideline_{guideline.title}", *words)

    def to_json(self) -> dict[str, Any]:
        """Return the run as the summary's JSON shows it."""
        lists = self.answers["worklist"]
        return {
            "slug": self.partner.slug,
            "name": self.partner.name,
            "simulated": self.partner.simulated,
            "brought": self.partner.summary,
            "import": _without(self.answers["import"], "problems"),
            "import_again": self.answers["import_again"]["counts"],
            "rejected": self.answers["import"]["problems"],
            "indicators": self.answers["indicators"],
            "training": self.answers["train"],
            "scored": self.answers["score"],
            "lists": {
                kind: {
                    "candidates": worklist["candidates"],
                    "listed": len(worklist["people"]),
                    "first": worklist["people"][:SHOWN],
                }
                for kind, worklist in lists.items()
            },
            "loop": self.answers.get("loop"),
            "message": self.answers.get("message"),
            "guidelines": [guideline.title for guideline in self.partner.guidelines],
            "explained": _without(self.answers.get("explain", {}), "features"),
            "seconds": {finished_step.command: finished_step.seconds for finished_step in self.steps},
        }


def _without(answer: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != name}
