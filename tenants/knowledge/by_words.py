"""Passages by the words that they share with a question: BM25, computed from PostgreSQL's text search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tenants.knowledge.word_counts import word_counts

if TYPE_CHECKING:
    from core.database import TenantSession
    from tenants.knowledge.scope import Scope

SATURATION: Final = 1.2
"""k1: how soon more of the same word counts no more (Robertson and Zaragoza 2009, section 3.5)."""

LENGTH_WEIGHT: Final = 0.75
"""b: how much a long passage is held against it."""

MOST_CANDIDATES: Final = 4_000
"""Passages that are scored. The rarest words of the question choose them; common ones only add to their scores."""

MOST_LEXEMES: Final = 32
"""Words of a question that are searched, the rarest first."""

_SCORED = """
WITH asked AS (SELECT * FROM unnest(%(lexemes)s::text[], %(weights)s::float8[]) AS a (lexeme, weight)),
found AS MATERIALIZED (
    SELECT p.node_id, p.lexemes, p.words FROM data_passages p
    WHERE p.lexemes @@ %(query)s::tsquery AND {scope} LIMIT %(candidates)s
)
SELECT f.node_id, sum(
    a.weight * cardinality(w.positions) * (%(k1)s + 1)
    / (cardinality(w.positions) + %(k1)s * (1 - %(b)s + %(b)s * f.words / %(average)s))
) AS score
FROM found f CROSS JOIN unnest(f.lexemes) w JOIN asked a USING (lexeme)
GROUP BY f.node_id ORDER BY score DESC, f.node_id LIMIT %(limit)s
"""


def by_words(session: TenantSession, question: str, scope: Scope, limit: int) -> list[tuple[str, float]]:
    """Return the ids of the passages that share words with a question, best first, with their scores."""
    counted = word_counts(session, question, scope)
    rarest = sorted((count, lexeme) for lexeme, count in counted.counts.items() if count)[:MOST_LEXEMES]
    if not rarest:
        return []
    values: dict[str, Any] = {
        **scope.values,
        "lexemes": [lexeme for _, lexeme in rarest],
        "weights": [counted.weight(lexeme) for _, lexeme in rarest],
        "query": " | ".join(_quoted(lexeme) for lexeme in _choosing(rarest)),
        "candidates": MOST_CANDIDATES,
        "average": counted.average,
        "k1": SATURATION,
        "b": LENGTH_WEIGHT,
        "limit": limit,
    }
    rows = session.cursor().execute(_SCORED.format(scope=scope.condition), values)
    return [(node_id, float(score)) for node_id, score in rows]


def _choosing(rarest: list[tuple[int, str]]) -> list[str]:
    """The rarest words that together stand in no more passages than are scored; the rarest of all in any case."""
    chosen: list[str] = []
    passages = 0
    for count, lexeme in rarest:
        passages += count
        if chosen and passages > MOST_CANDIDATES:
            break
        chosen.append(lexeme)
    return chosen


def _quoted(lexeme: str) -> str:
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"
