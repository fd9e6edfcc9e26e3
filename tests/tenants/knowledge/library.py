"""A tenant's documents, with vectors that need no model."""

from __future__ import annotations

import io

import numpy as np

from core.database import tenant_session
from core.jobs.worker import drain
from tenants.knowledge import repository, service
from tenants.knowledge.embedding import DIMENSIONS
from tenants.knowledge.retrieval import find
from tenants.knowledge.serving import scope_of

ACTOR = "test:1"


class FakeEmbedder:
    """Vectors that only count letters: enough to be stored, and made in no time."""

    def passages(self, texts):
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in enumerate(texts):
            for letter in text.encode():
                vectors[row, letter] += 1
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Library:
    """The documents of a tenant."""

    def __init__(self, tenant):
        self.tenant = tenant

    def session(self):
        return tenant_session(self.tenant, actor=ACTOR)

    def add(self, content, name="guide.md", **facts):
        """Upload a document, without reading it."""
        draft = service.Draft(name, **facts)
        return service.receive(self.tenant, self.session, io.BytesIO(content), draft, source="cli").uuid

    def read(self, content, name="guide.md", **facts):
        """Upload a document and read it."""
        document_id = self.add(content, name, **facts)
        drain(self.tenant)
        return document_id

    def row(self, document_id):
        with self.session() as session:
            row = service.get(session, document_id)
            session.expunge(row)
            return row

    def forget_all(self):
        with self.session() as session:
            session.cursor().execute("DELETE FROM knowledge_documents")

    def search(self, question, language="en"):
        """The texts that a question finds by its words."""
        with self.session() as session:
            return [each.text for each in find(session, question, scope_of(session, language), method="text")]

    def models(self):
        """How many passages each model has."""
        with self.session() as session:
            query = "SELECT model, count(*) FROM data_passages GROUP BY model"
            return dict(session.cursor().execute(query).fetchall())

    def states(self, source_id):
        """State and whether it is current, of each version of each document of a source."""
        with self.session() as session:
            rows = session.cursor().execute(
                "SELECT name, version, state, superseded_at IS NULL FROM knowledge_documents"
                " WHERE source_id = %s ORDER BY name, version",
                (source_id,),
            )
            return rows.fetchall()

    def waiting(self):
        with self.session() as session:
            return list(repository.waiting(session))
