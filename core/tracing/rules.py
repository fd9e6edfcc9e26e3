"""Tail rules: which traces are exported, decided when the request or job has ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Reason = Literal["error", "slow", "share"]

_RANDOM_DIGITS: Final = 14
"""The last digits of a trace id, which the W3C calls random: 56 bits."""

_RANDOM_RANGE: Final = 16**_RANDOM_DIGITS


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one process.

    Attributes:
        share: the share of traces that is exported whatever became of them, from 0 to 1.
        slow_request: seconds until the answer began, from which a request is slow.
        slow_job: seconds from which a job is slow.
    """

    share: float = 0.05
    slow_request: float = 1.0
    slow_job: float = 60.0

    def in_share(self, trace_id: str) -> bool:
        """Return whether the trace is in the share. It depends on the id alone, so all processes agree."""
        return int(trace_id[-_RANDOM_DIGITS:], 16) < self.share * _RANDOM_RANGE

    def reason(self, trace_id: str, *, failed: bool, seconds: float, slow: float) -> Reason | None:
        """Return why a trace is exported; None if it is not.

        Args:
            trace_id: in hexadecimal.
            failed: whether one of its spans failed.
            seconds: how long its first span took.
            slow: seconds from which it is slow.
        """
        if failed:
            return "error"
        if seconds >= slow:
            return "slow"
        return "share" if self.in_share(trace_id) else None
