"""The types of events that imports publish."""

from typing import Final

from core.events.schemas import COUNT, DATE, ID, TEXT, described, fields
from core.feature_registry import EventType

IMPORT_TYPES: Final = (
    EventType(
        name="imports.completed",
        version=1,
        description="The rows of an import are in the records.",
        subject="the import",
        schema=fields(
            import_id=described(ID, "The import, as `GET /v1/imports/{import_id}` takes it."),
            source=described(TEXT, "Name of the mapping's source."),
            data_date=described({**DATE, "type": ["string", "null"]}, "The day to which the import's data run."),
            rows_read=described(COUNT, "Rows of the file."),
            rows_rejected=described(COUNT, "Rows that the import rejected."),
        ),
        example={
            "import_id": "0197a5f0-0000-7000-8000-000000000001",
            "source": "emr",
            "data_date": "2026-11-28",
            "rows_read": 10_000,
            "rows_rejected": 12,
        },
        public=True,
    ),
)
