"""A tenant's choice of how questions find their passages."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

Model = Literal["e5", "minilm"]
Language = Literal["en", "fr", "pt"]


class KnowledgeSettings(BaseModel):
    """How questions find their passages."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    settings_key: ClassVar[str] = "knowledge"

    model: Model = "e5"
    """The model that embeds passages and questions: e5 reads English, French and Portuguese; minilm reads English only.
    After a change a job embeds every passage again, and the former model answers until that job is done."""

    languages: tuple[Language, ...] = ()
    """Languages of the documents that answer. Empty: all."""

    sources: tuple[UUID, ...] = ()
    """Sources whose documents answer. Empty: all sources, and uploaded documents."""

    shared: bool = True
    """Whether the documents that the operator shares with all partners answer here too."""
