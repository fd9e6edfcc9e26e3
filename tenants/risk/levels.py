"""What the words high, medium and low mean, said wherever they are shown."""

from __future__ import annotations


def meaning(share: float | None, usual: float | None) -> str:
    """What the levels of a list at risk mean, and what its risks are compared with.

    Args:
        share: part of each facility's people at risk that is ``high``.
        usual: risk of a person of whom nothing stands out; None where it is not known.
    """
    text = "Levels follow each facility's capacity, not the risk alone"
    if share is not None:
        middle = min(share, 1 - share)
        text += (
            f": high is the {share:.0%} of its people at risk who are ranked first, medium the next {middle:.0%}, "
            "low the rest"
        )
    text += ". So the same risk can be high at one facility and medium at another."
    if usual is not None:
        text += f" The usual risk, of a person of whom nothing stands out, is {usual:.0%}."
    return text


TRACING = (
    "Late: past the expected contact, not yet in IIT; the nearest to IIT come first. IIT: more than the grace period "
    "past it; the most recent come first."
)
