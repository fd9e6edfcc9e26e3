"""Models in a browser: a candidate's way to champion and back, what drifted, groups and features; phone and desktop."""

from datetime import timedelta

import numpy as np
import pytest

from core.clock import now, today
from core.database import tenant_session
from core.plugins import models
from tenants.risk import checks
from tenants.risk.bias.groups import compare_groups, top_share
from tenants.risk.drift.comparison import compare_days
from tenants.risk.explanations.overview import overview
from tenants.risk.feature_store.distributions import distributions
from tenants.risk.input_list import FEATURES, NAMES
from tenants.risk.input_sets import select
from tenants.risk.models import AccuracyMonth
from tenants.risk.models_checks import ModelCheck
from tenants.risk.reliability import EMPTY
from tenants.risk.serving import ServingModel
from tests.browser import people as staff
from tests.browser.page_checks import DESKTOP, PHONE, assert_good
from tests.tenants.risk.drift.test_comparison import sample
from tests.tenants.risk.made_models import CARD, serve, small_artifact, small_model

HOME = "/programme/models"
REGIMEN = NAMES.index("regimen")
PASSED = {"passed": True, "why": "ROC-AUC 0.74, of the rule 0.66"}
FAILED = {"passed": False, "why": "Brier score 0.21, of the rule 0.20"}


def estimate(value):
    return {"value": value, "low": value - 0.03, "high": value + 0.03}


def measured(tenant):
    """A stored comparison in which regimens are no longer recorded, and what else the pages show of the same people."""
    current, earlier = sample(1000, seed=50), [sample(1000 - 28 * lag, seed=lag) for lag in range(1, 5)]
    current.X[:, REGIMEN] = 0
    drift = compare_days(current, earlier).to_json()
    kind, random = models()["additive"], np.random.default_rng(3)
    model = ServingModel(None, "additive-1", kind.load(small_artifact()), None, EMPTY, select(FEATURES))
    risk = current.risk
    outcome, sex = random.random(len(risk)) < risk, np.where(random.random(len(risk)) < 0.6, "female", "male")
    listed = top_share(risk, current.facility, 0.2)
    labels = {"sex": sex, "facility": np.char.add("SIMNF00", current.facility.astype(str))}
    groups = compare_groups(risk, outcome, np.arange(len(risk)), listed, labels, replicates=20)
    figures = {
        "drift": drift,
        "features": {"columns": distributions(current.X)},
        "explanations": overview(model, current.X),
        "bias": {
            "decisions": len(risk), "listed_by": "capacity", "divisions": [division.to_json() for division in groups],
        },
    }  # fmt: skip
    month = (today("Africa/Lagos") - timedelta(days=60)).replace(day=1)
    accuracy = {name: estimate(0.7) for name in ("roc_auc", "brier", "calibration_intercept")}
    with tenant_session(tenant, actor="test:1") as session:
        for name, shown in figures.items():
            row = ModelCheck(kind=name, as_of=month, passed=name != "drift", patients=len(risk), figures=shown)
            row.measured_by = "test:1"
            checks.store(session, row)
        for back in range(3):
            first = (month - timedelta(days=31 * back)).replace(day=1)
            session.add(
                AccuracyMonth(
                    month=first, decisions=400, patients=300, interrupted=80, listed=80, listed_interrupted=40,
                    competing=3, mean_risk=0.2, figures=accuracy, measured_at=now(),
                )
            )  # fmt: skip


@pytest.fixture(scope="module")
def partner(make_tenant):
    """A partner with a champion: the tenant, and its people's sessions by role."""
    tenant = make_tenant(name="Lakeside Care").ref
    serve(tenant, small_model(tenant, "additive-2026-08"))
    measured(tenant)
    roles = ("data_officer", "case_manager")
    return tenant, {role: staff.session_of(staff.add_person(tenant, role), tenant) for role in roles}


@pytest.fixture(scope="module")
def candidate(partner):
    """The identifier of a candidate that passed its gates."""
    gates = {"passed": True, "performance": PASSED, "calibration": PASSED}
    return small_model(partner[0], "additive-2026-11", gates=gates, card=CARD | {"version": "additive-2026-11"})


@pytest.fixture
def visit(open_page, partner):
    """Opens a page as a role: ``visit("/programme/drift", "case_manager")``."""

    def begin(path, role="data_officer", size=DESKTOP, **options):
        return open_page(path, size, session=partner[1][role], **options)

    return begin


@pytest.mark.parametrize(("script", "size"), [(True, PHONE), (False, DESKTOP)], ids=["phone", "no script"])
def test_a_candidate_is_compared_promoted_and_rolled_back(visit, accessible, candidate, script, size):
    page = visit("/programme", size=size, java_script_enabled=script)
    page.get_by_role("link", name="Models").click()
    page.get_by_role("row").get_by_role("link", name="additive-2026-11").click()
    page.get_by_role("button", name="Compare at no effect").click()
    page.get_by_text("The comparison begins with the next scoring.").wait_for()
    page.locator(".back").click()
    shown = page.get_by_role("region", name="Comparison").inner_text()
    assert "additive-2026-11 scores beside additive-2026-08, at no effect." in shown
    page.get_by_role("row").get_by_role("link", name="additive-2026-11").click()
    page.get_by_role("button", name="End the comparison").click()
    page.get_by_label("Why").fill("Read by the team")
    page.get_by_role("button", name="Promote").click()
    page.get_by_text("It scores from the next scoring on.").wait_for()
    if script:
        assert_good(page, accessible)
    page.locator(".back").click()
    assert "additive-2026-11" in page.get_by_role("region", name="Champion").inner_text()
    assert "became the champion: Read by the team" in page.get_by_role("region", name="What changed").inner_text()
    page.get_by_role("button", name="Roll back to additive-2026-08").click()
    page.get_by_text("The former model serves again from the next scoring on.").wait_for()
    assert "additive-2026-08 scores now." in page.get_by_role("region", name="Champion").inner_text()


def test_a_model_that_failed_a_gate_has_no_promotion(visit, partner):
    gates = {"passed": False, "performance": FAILED, "calibration": PASSED}
    failed = small_model(partner[0], "additive-2026-10", gates=gates, card=CARD | {"gates": gates})
    page = visit(f"{HOME}/{failed}")
    shown = page.get_by_role("region", name="Gates").inner_text()
    assert "Better than the naive rule" in shown
    assert FAILED["why"] in shown
    assert page.get_by_role("button", name="Promote").count() == 0
    with page.expect_download() as download:
        page.get_by_role("link", name="The card as a PDF").click()
    assert download.value.suggested_filename == "model-additive-2026-10.pdf"


def test_what_drifted_leads_to_groups_and_to_the_meaning_of_a_feature(visit):
    page = visit("/programme")
    page.get_by_role("link", name="Drift").click()
    page.get_by_text("1 column has drifted").wait_for()
    first = page.get_by_role("row").nth(1).inner_text()
    assert "regimen" in first
    assert "Drifted" in first
    page.get_by_role("link", name="Groups").click()
    page.get_by_text("No group is certainly served worse").wait_for()
    sexes = page.get_by_role("region", name="Sex", exact=True).get_by_role("rowheader")
    assert sorted(sexes.all_inner_texts()) == ["Female", "Male"]
    page.get_by_role("link", name="Features").click()
    page.locator("summary", has_text="Lateness at earlier contacts").click()
    page.locator("details").get_by_role("link", name="days_late_last").click()
    page.get_by_role("heading", name="How the values lie").wait_for()


def test_who_may_not_promote_reads_and_has_no_button(visit, candidate):
    page = visit(f"{HOME}/{candidate}", "case_manager")
    page.get_by_role("heading", name="What it came from").wait_for()
    assert page.locator("main").get_by_role("button").count() == 0


@pytest.mark.parametrize("path", [HOME, "/programme/drift", "/programme/groups", "/programme/features",
                                  "/programme/features/days_late_last"])  # fmt: skip
def test_pages_are_accessible_and_fit_every_screen(visit, accessible, path):
    assert_good(visit(path), accessible)
