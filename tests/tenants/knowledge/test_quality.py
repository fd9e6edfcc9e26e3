"""Questions over the demo's guidelines, in other words than theirs, find their sections better by words and meaning."""

from typing import get_args

import pytest

from tenants.knowledge.retrieval import Method
from tests.tenants.knowledge.guidelines import add_guidelines, rows
from tests.tenants.knowledge.measure import retrieval

CASES = rows("questions.jsonl")


@pytest.fixture(scope="module")
def tenant(module_tenant):
    """A tenant with the demo's guidelines."""
    add_guidelines(module_tenant)
    return module_tenant


@pytest.mark.parametrize("language", ["en", "fr"])
def test_words_and_meaning_together_find_more_than_each_alone(tenant, language):
    figures = {method: retrieval(tenant, language, method, CASES) for method in get_args(Method)}
    assert figures["hybrid"].mrr > max(figures["text"].mrr, figures["vectors"].mrr), figures
    assert figures["hybrid"].recall_at_5 >= max(figures["text"].recall_at_5, figures["vectors"].recall_at_5), figures
