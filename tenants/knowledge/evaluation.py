"""How well questions find their documents, measured on files of questions whose documents are known."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, get_args
from uuid import uuid4

from core.clock import today
from core.database import tenant_session
from core.errors import Invalid, phrase
from tenants.knowledge import indexing
from tenants.knowledge.abbreviations import written_out
from tenants.knowledge.embedding import embedder
from tenants.knowledge.models import KnowledgeDocument
from tenants.knowledge.passages import cut
from tenants.knowledge.reading.blocks import Block
from tenants.knowledge.retrieval import CANDIDATES, Method, find_by
from tenants.knowledge.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from core.database import TenantRef

ACTOR: Final = "cli:knowledge:evaluate"
_IDS: Final = ("pmid", "id", "document")


@dataclass(frozen=True, slots=True)
class Figures:
    """How well one method finds.

    Attributes:
        recall_at_1: share of questions whose own document is found first.
        recall_at_5: share whose own document is among the first five.
        mrr: mean of one over its rank; 0 where it is not found.
    """

    recall_at_1: float
    recall_at_5: float
    mrr: float


@dataclass(frozen=True, slots=True)
class Case:
    """A question and the document that answers it."""

    question: str
    document: str


def evaluate(tenant: TenantRef, documents: Path, questions: Path, *, model: str, language: str) -> dict[str, Figures]:
    """Return the figures of each method. The documents are stored in ``tenant``, which should have no others.

    Raises:
        Invalid: a file has another form.
    """
    cases = read_cases(questions)
    names = _store(tenant, read_documents(documents), model=model, language=language)
    scope = Scope(model, today(tenant.time_zone), language)
    texts = [written_out(case.question, language) for case in cases]
    vectors = [embedder(model).question(text).tolist() for text in texts]
    ranks: dict[Method, list[int | None]] = {method: [] for method in get_args(Method)}
    with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
        for case, text, vector in zip(cases, texts, vectors, strict=True):
            for method, places in ranks.items():
                passages = find_by(session, text, vector, scope, limit=2 * CANDIDATES, method=method)
                order = list(dict.fromkeys(names[each.document_uuid] for each in passages))
                places.append(order.index(case.document) + 1 if case.document in order else None)
    return {method: figures(places) for method, places in ranks.items()}


def figures(ranks: Sequence[int | None]) -> Figures:
    """Return the figures of the ranks at which documents were found, from 1; None where one was not found."""
    count = max(len(ranks), 1)
    return Figures(
        recall_at_1=round(sum(rank == 1 for rank in ranks) / count, 4),
        recall_at_5=round(sum(rank is not None and rank <= 5 for rank in ranks) / count, 4),  # noqa: PLR2004 - the name says it
        mrr=round(sum(1 / rank for rank in ranks if rank) / count, 4),
    )


def _store(tenant: TenantRef, documents: dict[str, list[Block]], *, model: str, language: str) -> dict[Any, str]:
    names = {}
    for name, blocks in documents.items():
        embedded = indexing.embed("", cut(blocks), model)
        document = KnowledgeDocument(
            name=name,
            version=1,
            title=name,
            language=language,
            media_type="application/json",
            digest=b"",
            size=0,
            state="searchable",
            passages=len(embedded.passages),
            created_by=ACTOR,
        )
        with tenant_session(tenant, actor=ACTOR) as session:
            session.add(document)
            session.flush()
            indexing.store(session, document, embedded)
            names[document.uuid] = name
    return names


def read_documents(path: Path) -> dict[str, list[Block]]:
    """Return the documents of a file of JSON lines, by id: ``pmid`` or ``id``, and ``text`` or ``sections``.

    Raises:
        Invalid: a line has another form.
    """
    return {_id(path, number, row): _blocks(path, number, row) for number, row in _rows(path)}


def read_cases(path: Path) -> list[Case]:
    """Return the questions of a file of JSON lines: ``question``, and ``pmid`` or ``id`` of its document.

    Raises:
        Invalid: a line has another form.
    """
    cases = []
    for number, row in _rows(path):
        if not isinstance(row.get("question"), str):
            raise _other_form(path, number)
        cases.append(Case(row["question"], _id(path, number, row)))
    return cases


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                raise _other_form(path, number) from None
            if not isinstance(row, dict):
                raise _other_form(path, number)
            yield number, row


def _id(path: Path, number: int, row: dict[str, Any]) -> str:
    for name in _IDS:
        if name in row:
            return str(row[name])
    raise _other_form(path, number)


def _blocks(path: Path, number: int, row: dict[str, Any]) -> list[Block]:
    if isinstance(row.get("text"), str):
        return [Block("text", row["text"])]
    blocks = []
    sections = row.get("sections")
    for section in sections if isinstance(sections, list) else []:
        if not isinstance(section, dict) or not isinstance(section.get("text"), str):
            raise _other_form(path, number)
        if section.get("label"):
            blocks.append(Block("heading", str(section["label"]), 1))
        blocks.append(Block("text", section["text"]))
    if not blocks:
        raise _other_form(path, number)
    return blocks


def _other_form(path: Path, number: int) -> Invalid:
    detail = phrase("line {number} of {file} has another form", number=number, file=path.name)
    return Invalid(detail, remedy="Write JSON lines: documents with id and text, questions with id and question.")


def evaluate_apart(documents: Path, questions: Path, *, model: str, language: str) -> dict[str, Figures]:
    """Return the figures of each method, from a tenant that is made for it and deleted afterwards.

    Raises:
        Invalid: a file has another form.
    """
    from core.database.upgrade import migrate
    from core.tenancy import create_tenant
    from core.tenancy.archive.deleting import delete_tenant
    from core.tenancy.archive.purging import purge

    migrate()
    slug = f"evaluation-{uuid4().hex[:12]}"
    tenant = create_tenant(slug, name="Evaluation of retrieval", actor=ACTOR).ref
    try:
        return evaluate(tenant, documents, questions, model=model, language=language)
    finally:
        delete_tenant(slug, confirm=slug, actor=ACTOR, grace_days=0)
        purge(slug, actor=ACTOR)
