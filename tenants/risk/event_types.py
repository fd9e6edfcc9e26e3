"""The types of events that scoring publishes."""

from typing import Final

from core.events.schemas import COUNT, DATE, ID, TEXT, described, fields
from core.feature_registry import EventType

RISK_TYPES: Final = (
    EventType(
        name="risk.scored",
        version=1,
        description="The patients of a date have scores.",
        subject="the date",
        schema=fields(
            as_of=described(DATE, "The date of the scores."),
            model=described(TEXT, "Version of the model."),
            run_id=described(ID, "The scoring."),
            patients=described(COUNT, "Patients that the scoring looked at."),
            at_risk=described(COUNT, "Patients with a score, because they can still be kept from IIT."),
            to_trace=described(COUNT, "Patients whom the scoring leaves to tracing."),
        ),
        example={
            "as_of": "2026-11-29",
            "model": "additive-3",
            "run_id": "0197a5f0-0000-7000-8000-000000000002",
            "patients": 4_210,
            "at_risk": 3_902,
            "to_trace": 308,
        },
        public=True,
    ),
)
