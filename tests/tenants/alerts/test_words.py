"""The line of an alert, for each rule."""

import pytest

from core.web.texts import reading_in
from tenants.alerts.kinds import KINDS
from tenants.alerts.models import Alert
from tenants.alerts.words import title_of


@pytest.mark.parametrize("language", ["en", "fr", "pt"])
@pytest.mark.parametrize("rule", KINDS)
def test_every_rule_has_a_line_that_says_the_number_or_the_subject(rule, language):
    alert = Alert(alert_type=rule, subject="imports.run", count=3, severity="high", created_by="t")
    with reading_in(language):
        line = title_of(alert, "")
    assert "3" in line or "imports.run" in line
    assert "{" not in line


def test_failed_jobs_name_their_kind_and_the_facility_follows():
    alert = Alert(alert_type="dead_jobs", subject="imports.run", count=2, severity="high", created_by="t")
    assert title_of(alert, "") == "2 jobs failed: imports.run"
    assert title_of(alert, "Clinic A").endswith("(Clinic A)")


@pytest.mark.parametrize(("interrupted", "words"), [(14.2, "More people"), (3, "Fewer people")])
def test_drift_says_what_was_predicted_and_what_happened(interrupted, words):
    facts = {"month": "2026-08-01", "predicted": 8.1, "interrupted": interrupted}
    alert = Alert(alert_type="drift", subject="predictions", count=120, facts=facts, severity="medium", created_by="t")
    figures = f"{interrupted:.1f}% instead of 8.1% in August 2026"
    assert title_of(alert, "") == f"{words} interrupt treatment than predicted: {figures}"


@pytest.mark.parametrize("language", ["en", "fr", "pt"])
@pytest.mark.parametrize("what", ["features", "records", "facilities", "parity", "scores"])
def test_drift_names_the_columns_or_clinics_that_moved(what, language):
    facts = {"what": what, "names": ["days_late_last", "regimen", "age"]}
    alert = Alert(alert_type="drift", subject=what, count=4, facts=facts, severity="medium", created_by="t")
    with reading_in(language):
        line = title_of(alert, "")
    assert "{" not in line
    if what != "scores":
        assert "4" in line
        assert "days_late_last, regimen, age, …" in line


def test_scores_that_rank_less_well_name_the_month():
    facts = {"what": "ranking", "names": ["2026-08-01"]}
    alert = Alert(alert_type="drift", subject="ranking", count=1, facts=facts, severity="medium", created_by="t")
    assert title_of(alert, "").startswith("The scores of August 2026 rank people far less well")


@pytest.mark.parametrize("language", ["en", "fr", "pt"])
def test_a_roll_back_names_both_models(language):
    facts = {"what": "roll_back", "names": ["boosting-7", "additive-3"]}
    alert = Alert(alert_type="drift", subject="roll_back", count=1, facts=facts, severity="medium", created_by="t")
    with reading_in(language):
        line = title_of(alert, "")
    assert "boosting-7" in line
    assert "additive-3" in line
    assert "{" not in line
    assert line.startswith("Model boosting-7") == (language == "en")
