"""The service level objectives: what partners may rely on, each as a share of good events over 30 days.

``rules.py`` makes recording rules and alerts of them, ``dashboards.py`` shows what is left of their budgets, and
docs/operations/service-levels.md says what they promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WINDOW: Final = "30d"
"""The time over which an objective holds."""


@dataclass(frozen=True, slots=True)
class Objective:
    """One promise.

    Attributes:
        name: of the label ``slo``.
        title: what is promised, in words.
        target: the least share of good events.
        total: PromQL of the number of events in ``@window@``.
        good: PromQL of the number of good ones among them; or
        bad: PromQL of the number of bad ones.
        frequent: events come all the time, so that a window of minutes says something. Nights come once a day.
    """

    name: str
    title: str
    target: float
    total: str
    good: str = ""
    bad: str = ""
    frequent: bool = True

    def errors(self, window: str) -> str:
        """Return PromQL of the share of bad events in a window. Without events there is none.

        A counter has no series before its first event, so that ``or`` puts 0 in its place.
        """
        counted = self.good or self.bad
        share = f"(({counted}) or 0 * ({self.total})) / ({self.total})"
        return (f"1 - {share}" if self.good else share).replace("@window@", window)


def increase(metric: str, selector: str = "") -> str:
    """Return PromQL of how often something happened in the window, in each installation."""
    labels = f"{{{selector}}}" if selector else ""
    return f"sum by (namespace) (increase({metric}{labels}[@window@]))"


_REQUESTS: Final = 'route!~"/health.*|.*/stream"'
"""Probes are no requests of people, and a stream ends when its reader leaves."""
_NO_UPLOADS: Final = 'route!~"/health.*|.*/stream|/v1/imports|/v1/archives.*|/v1/knowledge/ask"'
"""How long an upload takes is up to the line; a question waits for a language model."""

OBJECTIVES: Final = (
    Objective(
        "availability",
        "Requests are answered without an error of ours",
        0.999,
        increase("iit_http_requests_total", _REQUESTS),
        bad=increase("iit_http_requests_total", f'status=~"5..",{_REQUESTS}'),
    ),
    Objective(
        "latency",
        "Requests are answered within a second",
        0.99,
        increase("iit_http_request_seconds_count", _NO_UPLOADS),
        good=increase("iit_http_request_seconds_bucket", f'le="1.0",{_NO_UPLOADS}'),
    ),
    Objective(
        "lists",
        "The lists of the day are ready at 6:00, in the partner's time",
        0.99,
        increase("iit_nights_total"),
        good=increase("iit_nights_total", 'outcome="on_time"'),
        frequent=False,
    ),
    Objective(
        "imports",
        "An import is in the records and the lists within 15 minutes",
        0.95,
        increase("iit_import_seconds_count"),
        good=increase("iit_import_seconds_bucket", 'le="900.0"'),
        frequent=False,
    ),
    Objective(
        "alerts",
        "An alert reaches its channel within 5 minutes",
        0.99,
        increase("iit_alert_seconds_count"),
        good=increase("iit_alert_seconds_bucket", 'le="300.0",outcome="sent"'),
    ),
)
