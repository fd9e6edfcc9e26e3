"""The types of events that reports publish."""

from typing import Final

from core.events.schemas import ID, described, fields
from core.feature_registry import EventType

REPORT_TYPES: Final = (
    EventType(
        name="reports.made",
        version=1,
        description="The file of a scheduled report is ready for one recipient. Only where `IIT_SMTP_URL` is set.",
        subject="the report and the recipient",
        schema=fields(report_id=described(ID, "The report's file."), person_id=described(ID, "The recipient.")),
        example={
            "report_id": "0197a5f0-0000-7000-8000-000000000003",
            "person_id": "0197a5f0-0000-7000-8000-000000000004",
        },
    ),
    EventType(
        name="reports.schedule_stopped",
        version=1,
        description="A schedule stopped by itself. Only where `IIT_SMTP_URL` is set, and its creator is a person.",
        subject="the schedule",
        schema=fields(schedule_id=described(ID, "The schedule.")),
        example={"schedule_id": "0197a5f0-0000-7000-8000-000000000005"},
    ),
)
