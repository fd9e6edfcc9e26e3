"""The API's answers about documents and their sources."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from core.plugins.instances import InstanceState
from tenants.knowledge.fetch_reasons import problem_of as fetch_problem
from tenants.knowledge.fetch_reasons import remedy_of as fetch_remedy
from tenants.knowledge.models import KnowledgeDocument, KnowledgePassage
from tenants.knowledge.reading.reasons import problem_of, remedy_of
from tenants.knowledge.sources import SourceState

_DOCUMENT: dict[str, Any] = {
    "id": "0197a5f0-7b2e-7c41-9d05-2f6a8e3b1c70",
    "source_id": None,
    "name": "hiv-guidelines.pdf",
    "version": 2,
    "title": "Consolidated guidelines",
    "url": "",
    "language": "en",
    "media_type": "application/pdf",
    "size": 1_482_113,
    "state": "searchable",
    "problem": "",
    "remedy": "",
    "passages": 312,
    "valid_from": "2026-12-01",
    "valid_until": None,
    "superseded_at": None,
    "searchable_at": "2026-11-30T09:12:44Z",
    "created_at": "2026-11-30T09:12:01Z",
    "created_by": "user:0197a5f0-52aa-7f10-8e6b-91c4d7a05e38",
}
_PASSAGE: dict[str, Any] = {
    "number": 12,
    "section": "Return to care > After 3 months",
    "page": 31,
    "text": "Measure the viral load three months after the return.",
}
_SOURCE: dict[str, Any] = {
    "id": "0197a5f0-6c1d-7e2b-9a40-3f5d8b21c604",
    "name": "Ministry",
    "plugin": "https",
    "state": "ready",
    "searchable": 8,
    "waiting": 0,
    "unreadable": 1,
    "last_added_at": "2026-11-29T00:00:41Z",
    "last_success_at": "2026-11-30T00:00:12Z",
    "last_failure_at": None,
    "problem": "",
    "remedy": "",
}


class KnowledgeDocumentOut(BaseModel):
    """A version of a document."""

    model_config = ConfigDict(json_schema_extra={"example": _DOCUMENT})

    id: UUID = Field(description="Identifier of the version.")
    source_id: UUID | None = Field(description="The source that brought it; null: it was uploaded.")
    name: str = Field(description="Its name, which its versions share.", examples=["hiv-guidelines.pdf"])
    version: int = Field(description="From 1.")
    title: str = Field(description="For quotes; empty until it is read, where nobody gave one.")
    url: str = Field(description="Its address for readers; empty if it has none.")
    language: str = Field(description="ISO 639, such as `en`; empty until it is read, where nobody gave one.")
    media_type: str = Field(description="What it is, by its content; empty until it is read.")
    size: int = Field(description="Bytes of the file.")
    state: Literal["waiting", "searchable", "unreadable"] = Field(
        description="`waiting` until it is read. While a new version waits, the former one answers."
    )
    problem: str = Field(description="Why it cannot be read; empty if it can.", examples=["the document has no text"])
    remedy: str = Field(description="What to do about it; empty if nothing.")
    passages: int = Field(description="Passages that are searched; 0 until it is read.")
    valid_from: date | None = Field(description="The first day on which it applies; null: it always did.")
    valid_until: date | None = Field(
        description="The first day on which a later version applies in its place; null: from the time in"
        " `superseded_at`, if there is one."
    )
    superseded_at: datetime | None = Field(description="When another version, or none, took its place; null: current.")
    searchable_at: datetime | None = Field(description="When it was read; null: it was not.")
    created_at: datetime = Field(description="When it was uploaded or fetched.")
    created_by: str = Field(description="Who uploaded it, or the job that fetched it.")

    @classmethod
    def of(cls, row: KnowledgeDocument) -> KnowledgeDocumentOut:
        """The answer about a document."""
        names = cls.model_fields.keys() - {"id", "problem", "remedy"}
        facts: dict[str, Any] = {name: getattr(row, name) for name in names}
        return cls(id=row.uuid, problem=problem_of(row.failure), remedy=remedy_of(row.failure), **facts)


class KnowledgePassageOut(BaseModel):
    """A passage of a document, as it is searched and quoted."""

    model_config = ConfigDict(json_schema_extra={"example": _PASSAGE})

    number: int = Field(description="Its place in the document, from 1.")
    section: str = Field(description="The headings above it, in one line.", examples=["Return > After 3 months"])
    page: int | None = Field(description="The page on which it begins; null where the document has no pages.")
    text: str = Field(description="Its text; a table is in Markdown.")

    @classmethod
    def of(cls, row: KnowledgePassage) -> KnowledgePassageOut:
        """The answer about a passage."""
        return cls(number=row.number, section=row.section, page=row.page, text=row.text)


class KnowledgeSourceOut(BaseModel):
    """A source of documents: a plugin's instance, or the documents that the operator shares."""

    model_config = ConfigDict(json_schema_extra={"example": _SOURCE})

    id: UUID = Field(description="Of the source; the same as of the instance under `/v1/plugin-instances`.")
    name: str = Field(description="Its name; `shared`: what the operator shares with all partners.")
    plugin: str = Field(description="Name of the plugin.", examples=["folder"])
    state: InstanceState = Field(description="Whether it can be used, as `/v1/plugin-instances` says.")
    searchable: int = Field(description="Current documents that answer questions.")
    waiting: int = Field(description="Documents that wait to be read.")
    unreadable: int = Field(description="Documents that cannot be read.")
    last_added_at: datetime | None = Field(description="When a document was last added; null: it has none.")
    last_success_at: datetime | None = Field(description="When a fetch last succeeded; null: none has, or shared.")
    last_failure_at: datetime | None = Field(description="When a fetch last failed; null: none has, or shared.")
    problem: str = Field(description="Why the last fetch failed; empty if it did not.")
    remedy: str = Field(description="What to do about it; empty if nothing.")

    @classmethod
    def of(cls, state: SourceState) -> KnowledgeSourceOut:
        """The answer about a source."""
        names = cls.model_fields.keys() - {"problem", "remedy"}
        facts: dict[str, Any] = {name: getattr(state, name) for name in names}
        return cls(problem=fetch_problem(state.problem), remedy=fetch_remedy(state.problem), **facts)
