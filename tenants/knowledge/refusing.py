"""Whether the passages that were found answer a question at all, or it is not in the guidelines.

A logistic model weighs how near the nearest passage is, and what share of the question's words the first one has.
``calibration.fit`` makes it from test questions: see ``CALIBRATIONS``. Nearness alone does not do: embeddings of short
questions are near to any text on medicine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tenants.knowledge.word_counts import word_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.database import TenantSession
    from tenants.knowledge.retrieval import Hit
    from tenants.knowledge.scope import Scope

_HAS: Final = """
SELECT w.lexeme FROM unnest(%(words)s::text[]) AS w (lexeme) JOIN data_passages b
ON b.document_uuid = %(document)s AND b.number = %(number)s AND b.model = %(model)s
AND b.lexemes @@ quote_literal(w.lexeme)::tsquery
"""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for an answer.

    Attributes:
        nearness: cosine similarity of the question and the nearest passage.
        shared: share of the question's words, weighted by their rarity, that the first passage has, from 0 to 1.
        english: whether the question is in English; in other languages the same nearness says less.
    """

    nearness: float
    shared: float
    english: bool

    @property
    def row(self) -> tuple[float, float, float]:
        """The three, in the order of a calibration's weights."""
        return self.nearness, self.shared, float(self.english)


@dataclass(frozen=True, slots=True)
class Calibration:
    """Weights of the evidence, and the probability from which a question counts as answered.

    Attributes:
        intercept: log-odds without evidence.
        weights: of nearness, shared and English.
        threshold: probability from 0 to 1.
    """

    intercept: float
    weights: tuple[float, float, float]
    threshold: float

    def probability(self, evidence: Evidence) -> float:
        """Return the probability that the passages answer the question."""
        odds = self.intercept + sum(w * value for w, value in zip(self.weights, evidence.row, strict=True))
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, odds))))


CALIBRATIONS: Final[dict[str, Calibration]] = {
    "e5": Calibration(-73.378, (84.651, 9.092, 1.378), 0.5),
    "minilm": Calibration(-5.867, (12.201, 8.631, 0.0), 0.5),
}
"""By model of embeddings: fitted on the 80 questions of ``tests/tenants/knowledge``, each left out in turn."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a question is answered, and how sure that is.

    Attributes:
        answered: whether the passages are quoted as an answer.
        probability: that they answer it, from 0 to 1.
    """

    answered: bool
    probability: float


def judge(session: TenantSession, question: str, scope: Scope, passages: Sequence[Hit]) -> Verdict:
    """Return whether passages answer a question.

    Args:
        session: of the tenant that asks.
        question: as it was searched, with its abbreviations written out.
        scope: in which it was searched.
        passages: by ``retrieval.find``, best first.
    """
    if not passages:
        return Verdict(answered=False, probability=0.0)
    calibration = CALIBRATIONS[scope.model]
    probability = calibration.probability(evidence(session, question, scope, passages))
    return Verdict(probability >= calibration.threshold, probability)


def evidence(session: TenantSession, question: str, scope: Scope, passages: Sequence[Hit]) -> Evidence:
    """Return what speaks for the first passage as an answer."""
    nearness = max((each.nearness for each in passages if each.nearness is not None), default=0.0)
    return Evidence(nearness, _shared(session, question, scope, passages[0]), scope.language == "en")


def _shared(session: TenantSession, question: str, scope: Scope, first: Hit) -> float:
    counted = word_counts(session, question, scope)
    weights = {lexeme: counted.weight(lexeme) for lexeme in counted.counts}
    values: dict[str, Any] = {
        "words": list(weights),
        "document": first.document_uuid,
        "number": first.number,
        "model": scope.model,
    }
    has = sum(weights[lexeme] for (lexeme,) in session.cursor().execute(_HAS, values))
    return has / sum(weights.values()) if weights else 0.0
