"""Which passages may answer a question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tenants.knowledge.models import CONFIGURATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

_CURRENT: Final = """
d.state = 'searchable' AND (d.superseded_at IS NULL OR d.valid_until > %(day)s)
AND (d.valid_from IS NULL OR d.valid_from <= %(day)s)
"""


@dataclass(frozen=True, slots=True)
class Scope:
    """A choice of passages, by their documents.

    Attributes:
        model: whose vectors are compared.
        day: on which the documents must be valid.
        language: of the question, ISO 639; its words are searched by that language's rules.
        languages: of the documents; empty: all.
        sources: instances of plugins; empty: all documents.
    """

    model: str
    day: date
    language: str = "en"
    languages: Sequence[str] = ()
    sources: Sequence[UUID] = ()

    @property
    def configuration(self) -> str:
        """PostgreSQL's name of the language's rules."""
        return CONFIGURATIONS.get(self.language, "simple")

    @property
    def documents(self) -> str:
        """A condition on ``knowledge_documents d``, with ``values``."""
        filters = " AND d.language = ANY(%(languages)s)" if self.languages else ""
        filters += " AND d.source_id = ANY(%(sources)s)" if self.sources else ""
        return _CURRENT + filters

    @property
    def condition(self) -> str:
        """A condition on ``data_passages p``, with ``values``."""
        documents = f"SELECT d.uuid FROM knowledge_documents d WHERE {self.documents}"  # noqa: S608 - fixed texts
        return f"p.model = %(model)s AND p.document_uuid IN ({documents})"

    @property
    def values(self) -> dict[str, Any]:
        """The values of ``documents`` and ``condition``."""
        return {"model": self.model, "day": self.day, "languages": list(self.languages), "sources": list(self.sources)}
