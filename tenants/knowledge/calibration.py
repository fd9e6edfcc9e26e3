"""Fits the weights of ``refusing`` on questions with and without an answer, and measures them on questions left out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from core.clock import today
from core.database import tenant_session
from tenants.knowledge.abbreviations import written_out
from tenants.knowledge.embedding import embedder
from tenants.knowledge.refusing import Calibration, Evidence, evidence
from tenants.knowledge.retrieval import find_by
from tenants.knowledge.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from core.database import TenantRef

ACTOR: Final = "system:calibration"
_LOOKED_AT: Final = 10


@dataclass(frozen=True, slots=True)
class CalibrationCase:
    """A question, and the section that answers it; None if no document does."""

    question: str
    language: str
    section: str | None


@dataclass(frozen=True, slots=True)
class Sample:
    """A question's evidence, and whether its documents answer it.

    Attributes:
        evidence: of the search.
        has_answer: whether a document answers it.
        rank: of the section that answers it, from 1; None where it was not found, or there is none.
    """

    evidence: Evidence
    has_answer: bool
    rank: int | None


@dataclass(frozen=True, slots=True)
class RefusalFigures:
    """How well questions with and without an answer are distinguished.

    Attributes:
        answered: share of the questions with an answer that are answered.
        refused: share of the questions without one that are refused.
        area: under the ROC curve: 1 is perfect, 0.5 is chance.
        right_source: share of the answered ones whose section is among the first three passages.
    """

    answered: float
    refused: float
    area: float
    right_source: float


def samples(tenant: TenantRef, cases: Iterable[CalibrationCase], model: str) -> list[Sample]:
    """Return the evidence of each question in a tenant's documents, each searched in its language."""
    chosen = embedder(model)
    collected = []
    for case in cases:
        question = written_out(case.question, case.language)
        vector = chosen.question(question).tolist()
        scope = Scope(model, today(tenant.time_zone), case.language, [case.language])
        with tenant_session(tenant, actor=ACTOR, readonly=True) as session:
            passages = find_by(session, question, vector, scope, limit=_LOOKED_AT)
            sections = [each.section.rpartition(" > ")[2] for each in passages]
            rank = sections.index(case.section) + 1 if case.section in sections else None
            collected.append(Sample(evidence(session, question, scope, passages), case.section is not None, rank))
    return collected


def fit(chosen: Sequence[Sample]) -> Calibration:
    """Return the calibration of some samples: logistic, both kinds of questions weighing the same."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    rows = np.array([sample.evidence.row for sample in chosen])
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    spread[spread == 0] = 1.0  # of one language alone
    model = LogisticRegression(class_weight="balanced")
    model.fit((rows - mean) / spread, [sample.has_answer for sample in chosen])
    weights = model.coef_[0] / spread
    intercept = float(model.intercept_[0] - weights @ mean)
    return Calibration(round(intercept, 3), (round(weights[0], 3), round(weights[1], 3), round(weights[2], 3)), 0.5)


def left_out(chosen: Sequence[Sample]) -> list[float]:
    """Return the probability of each sample, by a calibration of all the others."""
    return [fit([*chosen[:at], *chosen[at + 1 :]]).probability(sample.evidence) for at, sample in enumerate(chosen)]


def figures(chosen: Sequence[Sample], probabilities: Sequence[float], threshold: float = 0.5) -> RefusalFigures:
    """Return how well probabilities tell the two kinds of questions apart."""
    from sklearn.metrics import roc_auc_score

    pairs = list(zip(chosen, probabilities, strict=True))
    with_answer = [(sample, value) for sample, value in pairs if sample.has_answer]
    without = [value for sample, value in pairs if not sample.has_answer]
    answered = [sample for sample, value in with_answer if value >= threshold]
    right = [sample for sample in answered if sample.rank is not None and sample.rank <= 3]  # noqa: PLR2004 - as said
    return RefusalFigures(
        answered=round(len(answered) / max(len(with_answer), 1), 3),
        refused=round(sum(value < threshold for value in without) / max(len(without), 1), 3),
        area=round(float(roc_auc_score([sample.has_answer for sample in chosen], probabilities)), 3),
        right_source=round(len(right) / max(len(answered), 1), 3),
    )


def report(chosen: Sequence[Sample]) -> dict[str, Any]:
    """Return the calibration of all samples, and its figures on questions left out in turn."""
    return {**asdict(fit(chosen)), **asdict(figures(chosen, left_out(chosen)))}
