"""The demo's guidelines in a tenant, embedded once in a test run."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from core.database import tenant_session
from tenants.demo import guidelines
from tenants.knowledge import indexing
from tenants.knowledge.models import KnowledgeDocument
from tenants.knowledge.passages import cut
from tenants.knowledge.reading import markdown

FOLDER = Path(guidelines.__file__).parent
_FOLDER = Path(__file__).parent


def rows(name):
    """The rows of a file of questions."""
    return [json.loads(line) for line in (_FOLDER / name).read_text("utf-8").splitlines()]


@cache
def embedded(model):
    """Language, name, title and embedded passages of each guideline."""
    guidelines = []
    for file in sorted(FOLDER.glob("*/*.md")):
        blocks = markdown.read(file.read_bytes())
        guidelines.append(
            (file.parent.name, file.stem, blocks[0].text, indexing.embed(blocks[0].text, cut(blocks), model))
        )
    return guidelines


def add_document(tenant, name, title, passages, *, language="en"):
    """Store a document with its embedded passages; return its id."""
    document = KnowledgeDocument(
        name=name,
        version=1,
        title=title,
        language=language,
        media_type="text/markdown",
        digest=b"",
        size=1,
        state="searchable",
        models=[passages.model],
        passages=len(passages.passages),
        created_by="test:1",
    )
    with tenant_session(tenant, actor="test:1") as session:
        session.add(document)
        session.flush()
        indexing.store(session, document, passages)
        return document.uuid


def add_guidelines(tenant, model="e5"):
    """Store the demo's guidelines."""
    for language, name, title, passages in embedded(model):
        add_document(tenant, name, title, passages, language=language)
