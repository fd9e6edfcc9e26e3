"""Questions without an answer in the guidelines are refused, questions with one get its section."""

import pytest

from tenants.knowledge.calibration import CalibrationCase, figures, fit, samples
from tenants.knowledge.refusing import CALIBRATIONS, Calibration, Evidence
from tests.tenants.knowledge.guidelines import add_guidelines, rows

CASES = [
    CalibrationCase(row["question"], row["language"], row.get("section"))
    for name in ("questions.jsonl", "questions_without_answer.jsonl")
    for row in rows(name)
]
LANGUAGES = {"e5": ("en", "fr"), "minilm": ("en",)}


@pytest.fixture(scope="module", params=sorted(LANGUAGES))
def measured(request, make_tenant):
    """A model, and the evidence of the questions in its languages."""
    tenant = make_tenant().ref
    add_guidelines(tenant, request.param)
    cases = [case for case in CASES if case.language in LANGUAGES[request.param]]
    return request.param, samples(tenant, cases, request.param)


def test_most_questions_are_answered_and_most_without_an_answer_are_refused(measured):
    model, chosen = measured
    calibration = CALIBRATIONS[model]
    shares = figures(chosen, [calibration.probability(each.evidence) for each in chosen], calibration.threshold)
    assert shares.answered >= 0.85, shares
    assert shares.refused >= 0.8, shares
    assert shares.right_source >= 0.8, shares


def test_the_calibration_is_the_one_of_these_questions(measured):
    model, chosen = measured
    fitted = fit(chosen)
    assert (fitted.intercept, *fitted.weights) == pytest.approx(
        (CALIBRATIONS[model].intercept, *CALIBRATIONS[model].weights), rel=0.05
    )


def test_more_evidence_is_never_less_probable():
    for calibration in CALIBRATIONS.values():
        assert min(calibration.weights) >= 0
    calibration = Calibration(0.0, (1.0, 1.0, 1.0), 0.5)
    assert calibration.probability(Evidence(1e6, 0.0, english=True)) == 1.0
    assert calibration.probability(Evidence(0.0, 0.0, english=False)) == 0.5
