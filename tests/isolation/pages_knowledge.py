"""The rows of the pages of guidelines, and the things that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from core.plugins import instances
from tenants.knowledge.models import KnowledgeDocument, KnowledgePassage
from tenants.knowledge.models_questions import KnowledgeQuestion
from tests.isolation.pages import Row

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from tests.isolation.routes import World

READ, WRITE = "knowledge.read", "knowledge.write"
_DOCUMENT, _SOURCE, _QUESTION = ("document_id",), ("guideline_source_id",), ("question_id",)
ROWS = [
    Row("GET", "/guidelines", READ),
    Row("POST", "/guidelines", READ, form={"question": "Whom do we call first?"}),
    Row(
        "POST",
        "/guidelines/questions/{question_id}/written",
        READ,
        names=_QUESTION,
        form={"question": "What does a malaria test cost?"},
        shared=True,
    ),
    Row("GET", "/guidelines/documents", WRITE, confined=False),
    Row("GET", "/guidelines/documents/{document_id}", READ, names=_DOCUMENT, shared=True),
    Row("POST", "/guidelines/documents/{document_id}/remove", WRITE, names=_DOCUMENT, status=303, confined=False),
    Row("GET", "/guidelines/upload", WRITE, confined=False),
    Row("POST", "/guidelines/upload", WRITE, status=422, confined=False),
    Row("GET", "/guidelines/sources", WRITE, confined=False),
    Row("POST", "/guidelines/sources/{guideline_source_id}/fetch", WRITE, names=_SOURCE, status=303, confined=False),
    Row("GET", "/guidelines/questions", WRITE, confined=False),
    Row("POST", "/guidelines/questions/{question_id}/settle", WRITE, names=_QUESTION, status=303, confined=False),
    Row(
        "POST",
        "/guidelines/questions/{question_id}/opinion",
        READ,
        names=_QUESTION,
        form={"opinion": "wrong", "note": "{new_id}"},
        status=303,
        shared=True,
    ),
]


def things_of(world: World, names: Collection[str]) -> dict[str, str]:
    """A document, a source of documents and a question of the owner, new for each test, if a row names them."""
    things = {}
    if "document_id" in names:
        things["document_id"] = str(new_document(world))
    if "guideline_source_id" in names:
        things["guideline_source_id"] = new_source(world)
    if "question_id" in names:
        things["question_id"] = str(new_question(world))
    return things


def new_source(world: World) -> str:
    """A source of documents of the owner: a folder, which nobody fetches."""
    draft = instances.InstanceIn(f"n{uuid4().hex[:10]}", {"folder": "/nowhere"})
    with world.session() as session:
        return str(instances.add_instance(session, "rag-source", "folder", draft, source="cli").id)


def new_question(world: World) -> UUID:
    """A question of the owner that the guidelines do not answer."""
    row = KnowledgeQuestion(
        language="en", text="What does a malaria test cost?", outcome="none", probability=0.1, model="e5"
    )
    with world.session() as session:
        session.add(row)
        return row.uuid


def new_document(world: World, text: str = "Call the person within two days.") -> UUID:
    """A document of the owner with one passage, by a model that nobody asks."""
    document = KnowledgeDocument(
        name=f"{uuid4().hex}.md", version=1, title="Returning to care", language="en", media_type="text/markdown",
        digest=uuid4().bytes, size=1, state="unreadable", failure="damaged", created_by="test:1",
    )  # fmt: skip
    passage = KnowledgePassage(
        node_id=uuid4().hex, text=text, embedding=[1.0, *[0.0] * 383], model="none", document_uuid=document.uuid,
        number=1, section="Returning to care > Welcome first", language="en", searched=text, words=6,
    )  # fmt: skip
    with world.session() as session:
        session.add(document)
        session.flush()
        session.add(passage)
    return document.uuid
