"""What the pictures of guidelines need beyond a demo: a scan, a replaced version, a source, and open questions."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlmodel import col, select

from core.database import tenant_session
from core.jobs.worker import drain
from core.plugins import instances
from tenants.knowledge import service
from tenants.knowledge.models import KnowledgeDocument
from tenants.knowledge.models_questions import KnowledgeQuestion
from tenants.knowledge.service import Draft

if TYPE_CHECKING:
    from core.database import TenantRef

ACTOR: Final = "test:1"
SCAN: Final = b"%PDF-1.4 of which only the beginning is there"
_DRAFT: Final = "# Transport refunds\n\nThe clinic refunds the bus fare of the first visit after a gap{more}.\n"
_QUESTIONS: Final = (
    ("Who pays the transport of staff to the district meeting?", "none", None, None),
    ("How many tablets does a child of 12 kg take?", "quoted", "missing", "The table of weights is not in it."),
)


def prepare_knowledge(tenant: TenantRef) -> dict[str, str]:
    """Add what the demo lacks, one time, and return what the addresses name."""
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        is_there = session.exec(select(KnowledgeQuestion.uuid).limit(1)).first() is not None
    if not is_there:
        _add(tenant)
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        rows = session.exec(select(KnowledgeDocument).order_by(col(KnowledgeDocument.passages).desc())).all()
        return {
            "document_id": str(next(row.uuid for row in rows if row.state == "searchable" and row.language == "en")),
            "scan_id": str(next(row.uuid for row in rows if row.state == "unreadable")),
        }


def _add(tenant: TenantRef) -> None:
    opened = partial(tenant_session, tenant, actor=ACTOR)
    for name, content in (
        ("transport.md", _DRAFT.format(more="").encode()),
        ("transport.md", _DRAFT.format(more=", and of the second").encode()),
        ("poster.pdf", SCAN),
    ):
        service.receive(tenant, opened, io.BytesIO(content), Draft(name), source="page")
        drain(tenant)
    with tenant_session(tenant, actor=ACTOR) as session:
        draft = instances.InstanceIn("Ministry of Health", {"folder": "/srv/guidelines"})
        instances.add_instance(session, "rag-source", "folder", draft, source="cli")
        session.add_all(
            KnowledgeQuestion(
                language="en", text=text, outcome=outcome, probability=0.4, model="e5", feedback=feedback, note=note
            )
            for text, outcome, feedback, note in _QUESTIONS
        )
