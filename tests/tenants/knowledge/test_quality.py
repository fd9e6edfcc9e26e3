"""Questions over the demo's guidelines, in other words than theirs, find their sections better by words and meaning."""

import json
from pathlib import Path
from typing import get_args

import pytest

from core.clock import today
from core.database import tenant_session
from tenants.demo import guidelines
from tenants.knowledge import indexing
from tenants.knowledge.evaluation import figures
from tenants.knowledge.models import KnowledgeDocument
from tenants.knowledge.passages import cut
from tenants.knowledge.reading import markdown
from tenants.knowledge.retrieval import Method, find
from tenants.knowledge.scope import Scope

FOLDER = Path(guidelines.__file__).parent
CASES = [json.loads(line) for line in (Path(__file__).parent / "questions.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def tenant(module_tenant):
    """A tenant with the demo's guidelines."""
    for file in sorted(FOLDER.glob("*/*.md")):
        blocks = markdown.read(file.read_bytes())
        embedded = indexing.embed(blocks[0].text, cut(blocks), "e5")
        document = KnowledgeDocument(
            name=file.stem,
            version=1,
            title=blocks[0].text,
            language=file.parent.name,
            media_type="text/markdown",
            digest=b"",
            size=1,
            state="searchable",
            created_by="test:1",
        )
        with tenant_session(module_tenant, actor="test:1") as session:
            session.add(document)
            session.flush()
            indexing.store(session, document, embedded)
    return module_tenant


@pytest.mark.parametrize("language", ["en", "fr"])
def test_words_and_meaning_together_find_more_than_each_alone(tenant, language):
    found = {method: _figures(tenant, language, method) for method in get_args(Method)}
    assert found["hybrid"].mrr > max(found["text"].mrr, found["vectors"].mrr), found
    assert found["hybrid"].recall_at_5 >= max(found["text"].recall_at_5, found["vectors"].recall_at_5), found


def _figures(tenant, language, method):
    scope = Scope("e5", today(tenant.time_zone), language, [language])
    ranks = []
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        for case in CASES:
            if case["language"] == language:
                passages = find(session, case["question"], scope, limit=20, method=method)
                order = list(dict.fromkeys(each.section.split(" > ")[-1] for each in passages))
                ranks.append(order.index(case["section"]) + 1 if case["section"] in order else None)
    return figures(ranks)
