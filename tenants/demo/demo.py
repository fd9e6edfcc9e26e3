"""The main job, from files to today's lists, for one partner: every step a documented command."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from core.cli.output import note
from core.tenancy import list_tenants
from tenants.demo.partners import Partner
from tenants.demo.steps import Step, step
from tenants.demo.summary import SHOWN

CAPACITY = 20
"""People per facility and list: what a tracker can call on a day."""
MONTHS_A_QUARTER = 3


@dataclass(slots=True)
class Told:
    """What the main job came to for one partner: the answers of the commands, by step.

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
            "brought": self.partner.told,
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


def run_partner(partner: Partner) -> Told:
    """Import, train, score, list and explain for one partner.

    Raises:
        AppError: a command failed.
    """
    note(f"\n{partner.name}: {partner.told}" + (" (simulated: nobody in it exists)" if partner.simulated else ""))
    told = Told(partner)
    if partner.slug not in {tenant.slug for tenant in list_tenants()}:
        told.run("tenant", "tenant", "create", partner.slug, "--name", partner.name)
    paths = [str(path) for path in partner.paths]
    found = told.run("import", "import", partner.slug, *paths, *partner.options)
    told.run("import_again", "import", partner.slug, *paths, *partner.options)
    as_of = date.fromisoformat(found["data_date"])
    told.run("indicators", "indicators", partner.slug, "--period", quarter_before(as_of))
    told.run("train", "train", partner.slug)
    told.run("score", "score", partner.slug, "--as-of", as_of.isoformat())
    lists = told.run("worklist", "worklist", partner.slug, "--as-of", as_of.isoformat(), "--capacity", str(CAPACITY))
    if people := lists["at_risk"]["people"]:
        riskiest = max(people, key=lambda person: float(person["score"]))["patient_uuid"]
        told.run("explain", "explain", partner.slug, riskiest, "--as-of", as_of.isoformat())
    return told


def quarter_before(day: date) -> str:
    """The last calendar quarter that is over by the evening of ``day``, as ``2026Q3``."""
    quarter, year = (day.month - 1) // MONTHS_A_QUARTER + 1, day.year
    next_day = date.fromordinal(day.toordinal() + 1)
    if (next_day.month - 1) // MONTHS_A_QUARTER + 1 == quarter and next_day.year == year:
        quarter, year = (quarter - 1, year) if quarter > 1 else (4, year - 1)
    return f"{year}Q{quarter}"


def _without(answer: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != name}
