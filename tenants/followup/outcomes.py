"""What can become of an attempt to reach a patient: the one vocabulary of the platform."""

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome of an attempt.

    Attributes:
        name: in the API and in the table.
        meaning: in one line.
        reached: whether somebody spoke with the patient or with who knows.
        settles: whether the patient leaves the lists until a later expected contact is due.
    """

    name: OutcomeName
    meaning: str
    reached: bool
    settles: bool


OUTCOMES: Final[dict[str, Outcome]] = {
    outcome.name: outcome
    for outcome in (
        Outcome("returned", "The patient came back to the clinic.", reached=True, settles=True),
        Outcome(
            "promised", "The patient will come, on the promised day where one was named.", reached=True, settles=False
        ),
        Outcome("reached", "Somebody spoke with the patient; nothing was agreed.", reached=True, settles=False),
        Outcome("not_reached", "Nobody answered, or nobody was at home.", reached=False, settles=False),
        Outcome("wrong_number", "The number is of somebody else, or out of service.", reached=False, settles=False),
        Outcome("moved", "The patient lives elsewhere now.", reached=True, settles=True),
        Outcome("transferred_out", "The patient is in care at another facility.", reached=True, settles=True),
        Outcome("died", "The patient has died.", reached=True, settles=True),
        Outcome("refused", "The patient does not want to come.", reached=True, settles=True),
    )
}

Medium = Literal["phone_call", "home_visit", "sms", "in_person", "other"]
MEDIA: Final = ("phone_call", "home_visit", "sms", "in_person", "other")
"""How somebody tried to reach the patient."""
