"""Questions over the demo's guidelines, in other words than theirs, find their sections better by words and meaning."""

from typing import get_args

import pytest

from core.clock import today
from core.database import tenant_session
from tenants.knowledge.evaluation import figures
from tenants.knowledge.retrieval import Method, find
from tenants.knowledge.scope import Scope
from tests.tenants.knowledge.guidelines import add_guidelines, rows

CASES = rows("questions.jsonl")


@pytest.fixture(scope="module")
def tenant(module_tenant):
    """A tenant with the demo's guidelines."""
    add_guidelines(module_tenant)
    return module_tenant


@pytest.mark.parametrize("language", ["en", "fr"])
def test_words_and_meaning_together_find_more_than_each_alone(tenant, language):
    figures = {method: _figures(tenant, language, method) for method in get_args(Method)}
    assert figures["hybrid"].mrr > max(figures["text"].mrr, figures["vectors"].mrr), figures
    assert figures["hybrid"].recall_at_5 >= max(figures["text"].recall_at_5, figures["vectors"].recall_at_5), figures


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
