"""The type of events that documents publish."""

from typing import Final, Literal

from core.events.schemas import ID, TEXT, described, fields
from core.feature_registry import EventType

Change = Literal["searchable", "unreadable", "superseded", "forgotten"]

KNOWLEDGE_TYPES: Final = (
    EventType(
        name="knowledge.changed",
        version=1,
        description="A document can be searched, cannot be read, was superseded by nothing, or was removed.",
        subject="the document",
        schema=fields(
            document_id=described(
                ID, "The version of the document, as `GET /v1/knowledge/documents/{document_id}` takes it."
            ),
            change=described(
                {**TEXT, "enum": ["searchable", "unreadable", "superseded", "forgotten"]}, "What became of it."
            ),
        ),
        example={"document_id": "0197a5f0-0000-7000-8000-000000000002", "change": "searchable"},
        public=True,
    ),
)
