"""The meaning of the words high, medium and low, in one text for every place that shows them."""

from __future__ import annotations


def meaning(share: float | None, usual: float | None) -> str:
    """The meaning of the levels of a list at risk, with the risk to compare with.

    Args:
        share: share of each facility's people at risk who are ``high``.
        usual: risk of an average person; None where unknown.
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
        text += f" The usual risk, of an average person, is {usual:.0%}."
    return text


TRACING = (
    "Late: past the expected contact, not yet in IIT; the nearest to IIT come first. IIT: more than the grace period "
    "past it; the most recent come first."
)
