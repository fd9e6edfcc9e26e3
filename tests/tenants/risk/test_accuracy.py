"""Predictions are compared with what happened: those whose outcome is known, and that were made before it was."""

from bisect import bisect_right
from datetime import timedelta

import pytest
from sqlmodel import select

from core.jobs.worker import drain
from core.metrics import readings
from tenants.alerts.models import Alert
from tenants.cohort.settings import CohortSettings
from tenants.cohort.timelines import day_number, to_date
from tenants.risk import accuracy, worklist
from tenants.risk.jobs import enqueue_measure
from tenants.risk.metrics import evaluate
from tenants.risk.scoring import score
from tests.tenants.risk.clinics import END
from tests.tenants.risk.conftest import opener, predictions

DAY = to_date(END - 80)
LATER = to_date(END - 20)
"""Its outcomes are not known yet."""


@pytest.fixture(scope="module")
def partner(trained):
    """A tenant that was scored on both days, and whose list of the first was issued."""
    tenant = trained[0].ref
    for day in (DAY, LATER):
        score(tenant, opener(tenant), day)
    with opener(tenant)() as session:
        order = worklist.order_for(session, "at_risk", DAY)
    worklist.issue(tenant, opener(tenant), order)
    return tenant


def change(tenant, statement, *values):
    with opener(tenant)() as session:
        session.cursor().execute(statement, values)


def measured(tenant):
    accuracy.measure(tenant, opener(tenant))
    with opener(tenant)() as session:
        rows = accuracy.list_months(session)
        session.expunge_all()
    return rows


def outcomes(tenant, cohort):
    """Risk and outcome of each prediction of the first day, from the contacts as they were made up."""
    contacts = dict(zip(cohort.uuids(), cohort.contacts, strict=True))
    grace = CohortSettings().grace_days
    for uuid, risk, expected in predictions(tenant, DAY, "patient_uuid, risk, expected_date"):
        if risk is not None:
            days = contacts[uuid]
            after = bisect_right(days, day_number(DAY))
            yield risk, int(after == len(days) or days[after] > day_number(expected) + grace)


def test_the_figures_are_those_of_the_predictions_whose_outcome_is_known(partner, cohort):
    (row,) = measured(partner)
    risks, interrupted = zip(*outcomes(partner, cohort), strict=True)
    assert row.month == DAY.replace(day=1)
    assert (row.decisions, row.interrupted, row.competing) == (len(risks), sum(interrupted), 0)
    figures = evaluate(risks, interrupted, range(len(risks)), replicates=0).metrics
    for name in accuracy.FIGURES:
        assert row.figures[name]["value"] == pytest.approx(figures[name].value)
        assert row.figures[name]["low"] < row.figures[name]["value"] < row.figures[name]["high"]
    assert row.mean_risk == pytest.approx(sum(risks) / len(risks))
    assert 0 < row.listed_interrupted < row.listed < row.decisions
    gauges = {
        each.name: {sample.labels[0]: sample.value for sample in each.samples}
        for each in readings()
        if each.name.startswith("iit_prediction_")
    }
    assert gauges["iit_prediction_roc_auc"][partner.slug] == pytest.approx(figures["roc_auc"].value)
    assert gauges["iit_prediction_mean_risk"][partner.slug] == pytest.approx(row.mean_risk)


def test_a_prediction_that_could_have_seen_its_outcome_does_not_count(partner):
    (row,) = measured(partner)
    change(partner, "UPDATE models SET trained_through = %s", LATER)
    change(partner, "DELETE FROM accuracy_months")
    assert measured(partner) == []
    change(partner, "UPDATE predictions SET prediction_timestamp = %s WHERE as_of = %s", DAY, DAY)
    assert [again.decisions for again in measured(partner)] == [row.decisions]
    change(partner, "UPDATE models SET trained_through = %s", DAY - timedelta(days=1))


def test_a_record_that_was_corrected_since_has_no_outcome(partner):
    (row,) = measured(partner)
    uuid = next(uuid for uuid, risk in predictions(partner, DAY, "patient_uuid, risk") if risk is not None)
    change(partner, "UPDATE predictions SET expected_date = expected_date - 1 WHERE patient_uuid = %s", uuid)
    assert [again.decisions for again in measured(partner)] == [row.decisions - 1]
    change(partner, "UPDATE predictions SET expected_date = expected_date + 1 WHERE patient_uuid = %s", uuid)


def test_a_schedule_measures_and_the_api_answers(partner, trained, client_for, application):
    change(partner, "DELETE FROM accuracy_months")
    with opener(partner)() as session:
        enqueue_measure(session, None)
    drain(partner)
    (month,) = client_for(application, trained[0].api_key).get("/v1/risk/accuracy").json()
    assert month["month"] == str(DAY.replace(day=1))
    assert month["figures"]["roc_auc"]["value"] > 0.5


def test_drift_that_the_schedule_measures_is_an_alert_until_predictions_come_true_again(partner):
    def measure_by_schedule(factor):
        change(partner, "UPDATE predictions SET risk = risk * %s WHERE as_of = %s", factor, DAY)
        with opener(partner)() as session:
            enqueue_measure(session, None)
        drain(partner)
        with opener(partner)() as session:
            query = select(Alert.status, Alert.resolution, Alert.facts).where(Alert.subject == "predictions")
            return [tuple(row) for row in session.exec(query)]

    (raised,) = measure_by_schedule(1 / 8)
    assert raised[:2] == ("open", None)
    assert raised[2]["month"] == str(DAY.replace(day=1))
    assert [row[:2] for row in measure_by_schedule(8)] == [("resolved", "cause_ended")]


def test_a_tenant_without_predictions_has_no_figures(tenant):
    assert measured(tenant) == []


def test_predictions_that_no_longer_come_true_are_a_signal_that_ends_when_they_do_again(partner, monkeypatch):
    published = []

    def publish(_session, name, event):
        if event["subject"] == "predictions":
            published.append((name, event))

    monkeypatch.setattr(accuracy, "publish", publish)
    (row,) = measured(partner)
    change(partner, "UPDATE predictions SET risk = risk / 8 WHERE as_of = %s", DAY)
    measured(partner)
    change(partner, "UPDATE predictions SET risk = risk * 8 WHERE as_of = %s", DAY)
    monkeypatch.setattr(accuracy, "FEWEST", row.decisions + 1)
    measured(partner)
    assert [(name, event["ended"]) for name, event in published] == [("models.drift", True), ("models.drift", False)]
    facts = published[1][1]["facts"]
    assert facts["month"] == str(row.month)
    assert facts["predicted"] * 6 < facts["interrupted"] == round(100 * row.interrupted / row.decisions, 1)


def test_scores_that_no_longer_rank_people_are_a_signal(partner, monkeypatch):
    published = []
    monkeypatch.setattr(accuracy, "publish", lambda _session, _name, event: published.append(event))
    measured(partner)
    change(partner, "UPDATE predictions SET risk = 1 - risk WHERE as_of = %s AND risk IS NOT NULL", DAY)
    measured(partner)
    change(partner, "UPDATE predictions SET risk = 1 - risk WHERE as_of = %s AND risk IS NOT NULL", DAY)
    assert [event["ended"] for event in published if event["subject"] == "ranking"] == [True, False]
