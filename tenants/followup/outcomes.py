"""The outcomes of an attempt to reach a patient: the only such vocabulary of the platform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

OutcomeName = Literal[
    "returned",
    "promised",
    "reached",
    "not_reached",
    "wrong_number",
    "moved",
    "transferred_out",
    "died",
    "refused",
]


SETTLED_DAYS: Final = 28
"""An outcome with at least this many days of rest is settled. So late, a missed contact is an interruption."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome of an attempt.

    Attributes:
        name: its name in the API and in the table.
        meaning: its meaning in one line.
        reached: whether somebody spoke with the patient, or with a person who knows about them.
        rests: days after the attempt on which today's list leaves the patient out. A promised day replaces them.
    """

    name: OutcomeName
    meaning: str
    reached: bool
    rests: int

    @property
    def settles(self) -> bool:
        """Whether nobody needs to try again until the records have something new."""
        return self.rests >= SETTLED_DAYS


OUTCOMES: Final[dict[str, Outcome]] = {
    outcome.name: outcome
    for outcome in (
        Outcome("returned", "The patient came back to the clinic.", reached=True, rests=28),
        Outcome("promised", "The patient will come, on the promised day where one was named.", reached=True, rests=3),
        Outcome("reached", "Somebody spoke with the patient; nothing was agreed.", reached=True, rests=1),
        Outcome("not_reached", "Nobody answered, or nobody was at home.", reached=False, rests=1),
        Outcome("wrong_number", "The number is of somebody else, or out of service.", reached=False, rests=1),
        Outcome("moved", "The patient lives elsewhere now.", reached=True, rests=180),
        Outcome("transferred_out", "The patient is in care at another facility.", reached=True, rests=180),
        Outcome("died", "The patient has died.", reached=True, rests=36500),
        Outcome("refused", "The patient does not want to come.", reached=True, rests=90),
    )
}

Medium = Literal[
    "phone_call", "home_visit", "sms", "in_person", "peer_support", "transport_support", "counselling", "other"
]
"""How somebody tried to reach or help the patient: the kinds of interventions."""

ReasonName = Literal[
    "transport",
    "work",
    "travel",
    "illness",
    "feeling_well",
    "side_effects",
    "stigma",
    "forgot",
    "supply",
    "family",
    "clinic",
    "other",
]
"""Why a patient stayed away, in the patient's own words brought to a code."""
