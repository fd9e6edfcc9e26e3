"""How often words stand in the passages of a scope, counted one time for as long as its documents stay the same.

BM25 and the refusals weigh a word by its rarity. To count a common word reads every passage that has it, which takes
longer than the search itself. A process remembers the counts under a fingerprint of the documents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from core.database import TenantSession
    from tenants.knowledge.scope import Scope

MOST_SCOPES: Final = 256
"""Scopes whose counts a process remembers."""
MOST_WORDS: Final = 20_000
"""Words of a scope that are remembered; with more, the counts begin anew."""

_FINGERPRINT: Final = """
SELECT coalesce(md5(string_agg(concat(d.uuid, d.searchable_at, d.models), ' ' ORDER BY d.uuid)), '')
FROM knowledge_documents d WHERE {documents}
"""
_TOTALS: Final = "SELECT count(*), coalesce(avg(words), 1)::float8 FROM data_passages p WHERE {scope}"
_LEXEMES: Final = "SELECT lexeme FROM unnest(to_tsvector(%s::regconfig, %s))"
_COUNTS: Final = """
SELECT w.lexeme, (SELECT count(*) FROM data_passages p WHERE p.lexemes @@ quote_literal(w.lexeme)::tsquery AND {scope})
FROM unnest(%(words)s::text[]) AS w (lexeme)
"""


@dataclass(slots=True)
class _Memory:
    """Counts of one state of a scope's documents."""

    totals: tuple[int, float] | None = None
    counts: dict[str, int] = field(default_factory=dict)


@lru_cache(maxsize=MOST_SCOPES)
def _memory(_schema: str, _scope: str, _fingerprint: str) -> _Memory:
    return _Memory()


@dataclass(frozen=True, slots=True)
class WordCounts:
    """The words of a question, and in how many passages of a scope each stands.

    Attributes:
        passages: of the scope.
        average: words of a passage.
        counts: lexeme -> passages; 0 for a word that no passage has.
    """

    passages: int
    average: float
    counts: Mapping[str, int]

    def weight(self, lexeme: str) -> float:
        """Return what a word counts by its rarity (Robertson and Zaragoza 2009, section 3.2, plus one in the log)."""
        count = self.counts[lexeme]
        return math.log(1 + (self.passages - count + 0.5) / (count + 0.5))


def word_counts(session: TenantSession, question: str, scope: Scope) -> WordCounts:
    """Return the words of a question, and how often they stand in the passages of a scope."""
    cursor = session.cursor()
    lexemes = [row[0] for row in cursor.execute(_LEXEMES, (scope.configuration, question)).fetchall()]
    fingerprint = cursor.execute(_FINGERPRINT.format(documents=scope.documents), scope.values).fetchone()
    state = "" if fingerprint is None else str(fingerprint[0])
    memory = _memory(session.tenant.schema_name, repr(sorted(scope.values.items())), state)
    if memory.totals is None:
        row = cursor.execute(_TOTALS.format(scope=scope.condition), scope.values).fetchone()
        memory.totals = (0, 1.0) if row is None else (int(row[0]), float(row[1]))
    total, average = memory.totals
    return WordCounts(total, average, _counts(session, lexemes, scope, memory))


def _counts(session: TenantSession, lexemes: Collection[str], scope: Scope, memory: _Memory) -> dict[str, int]:
    counts = {lexeme: memory.counts[lexeme] for lexeme in lexemes if lexeme in memory.counts}
    if absent := [lexeme for lexeme in lexemes if lexeme not in counts]:
        values: dict[str, Any] = {"words": absent, **scope.values}
        counts |= dict(session.cursor().execute(_COUNTS.format(scope=scope.condition), values).fetchall())
        if len(memory.counts) + len(absent) > MOST_WORDS:
            memory.counts.clear()
        memory.counts.update(counts)
    return counts
