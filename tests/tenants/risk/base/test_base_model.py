"""A base model is pooled from bounded, noisy sums of partners that agreed; nothing else of them leaves."""

import json
from dataclasses import replace
from math import isclose

import numpy as np
import pytest
from click.testing import CliRunner

from core.errors import Conflict
from core.jobs.worker import drain
from core.plugins import models
from core.tenancy import settings as tenant_settings
from tenants.risk import cards, repository, scoring, serving
from tenants.risk import service as training
from tenants.risk.base import commands, jobs, pooled, privacy, service, sums
from tenants.risk.registry import lifecycle
from tenants.risk.settings import RiskSettings
from tests.tenants.risk.conftest import opener, predictions, store
from tests.tenants.risk.test_trials import DAY


@pytest.fixture(scope="module", autouse=True)
def few_are_enough():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sums, "FEWEST_PATIENTS", 100)
        yield


@pytest.fixture(scope="module")
def partner(make_tenant, cohort):
    """A partner with records that has agreed to give sums."""
    ref = make_tenant().ref
    store(ref, cohort)
    configure(ref, give_sums=True)
    return ref


@pytest.fixture(scope="module")
def decisions(partner):
    return training.load_decisions(opener(partner))


def configure(tenant, **settings):
    with opener(tenant)() as session:
        tenant_settings.put(session, RiskSettings(**settings))


@pytest.fixture(scope="module")
def total(decisions):
    """The partner's sums without noise."""
    return exact(decisions)


def exact(data, seed=1):
    return sums.exact(data, np.random.default_rng(seed))[0]


# What leaves


def test_one_patient_adds_the_clipping_norm_at_most(decisions):
    for patient in np.unique(decisions.patient)[:20]:
        alone = decisions.where(decisions.patient == patient)
        assert 0 < np.linalg.norm(exact(alone)) <= sums.clipping_norm() + 1e-9
    rows = np.ones((8, sums.length()))  # more than any patient can add: it is cut
    assert isclose(np.linalg.norm(sums.of_patient(rows, np.ones(8, dtype=np.int8))), sums.clipping_norm())


def test_all_that_leaves_is_noisy_sums_and_what_they_cost(partner, total, cohort):
    with opener(partner)() as session:
        jobs.enqueue(session, jobs.GIVE, {})
    drain(partner)
    with opener(partner)() as session, session.cursor() as cursor:
        left = service.given_sums(session)
        names = cursor.execute("SELECT detail FROM audit_events WHERE action = 'risk:sums:give'").fetchall()
    assert set(left) == {"version", "sums", "releases", "noise", "clipping_norm", "epsilon", "delta"}
    assert len(left["sums"]) == sums.length() * (sums.length() + 1) // 2 + sums.length()
    text = json.dumps(left)
    assert not any(str(uuid) in text or uuid.hex in text for uuid in (*cohort.uuids(), *cohort.facilities()))
    noise = np.array(left["sums"]) - total
    assert np.std(noise) == pytest.approx(privacy.NOISE * sums.clipping_norm(), rel=0.2)
    assert (np.abs(noise) > 0.005).mean() > 0.99
    assert len(names) == 1


def test_the_same_sums_are_never_given_with_the_same_noise(total):
    assert (sums.noisy(total, 1).values != sums.noisy(total, 1).values).mean() > 0.9


def test_the_loss_is_that_of_the_gaussian_mechanism_and_grows_with_each_gift(partner, monkeypatch):
    assert privacy.delta_at(privacy.epsilon(1), 1, privacy.NOISE) == pytest.approx(privacy.DELTA, rel=1e-6)
    assert privacy.epsilon(4, noise=4.0) == pytest.approx(privacy.epsilon(1, noise=2.0))
    assert 1.9 < privacy.epsilon(1) < 2.1  # as the accountant of Balle and Wang has it for a noise of 2
    assert privacy.epsilon(0) == 0
    monkeypatch.setattr(sums, "MOST_EPSILON", privacy.epsilon(1))
    with pytest.raises(Conflict, match="epsilon above"):
        service.give(opener(partner))


def test_who_has_not_agreed_or_is_small_gives_nothing(partner, tenant, monkeypatch):
    with pytest.raises(Conflict, match="has not agreed"):
        service.give(opener(tenant))
    monkeypatch.setattr(sums, "FEWEST_PATIENTS", 10_000)
    with pytest.raises(Conflict, match="need 10000 patients"):
        service.give(opener(partner))
    configure(partner, give_sums=False)
    try:
        with opener(partner)() as session:
            assert service.given_sums(session) is None
    finally:
        configure(partner, give_sums=True)


# What comes of it


def without_noise(total):
    return {"version": 1, "sums": (20 * total).tolist(), "releases": 1, "noise": 0.01, "epsilon": 2.0}


def test_pooled_sums_give_a_model_that_ranks_people(decisions, total):
    from sklearn.metrics import roc_auc_score

    base = pooled.pool([without_noise(total), without_noise(total)])
    model = models()["additive"].load(pooled.artifact_of(base))
    own = decisions.where(decisions.labelled)
    risk = model.predict(serving.select(model.features).of(own.X))
    assert roc_auc_score(own.y, risk) > 0.65
    assert risk.mean() == pytest.approx(own.y.mean(), abs=0.05)
    with pytest.raises(ValueError, match="at least 2 partners"):
        pooled.pool([without_noise(total)])


@pytest.fixture(scope="module")
def base_file(partner, total, tmp_path_factory):
    """A base model as ``iit model base pool`` writes it, without its noise."""
    file = tmp_path_factory.mktemp("base") / "base.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "given_sums", lambda session: without_noise(total) if is_of(session) else None)
        patch.setattr(pooled, "FEWEST_PARTNERS", 1)

        def is_of(session):
            return session.tenant.id == partner.id

        run = CliRunner().invoke(commands.base, ["pool", str(file)], catch_exceptions=False)
    assert "A base model of 1 partners" in run.output
    return file


def test_a_new_partner_is_served_by_the_base_model_and_its_card_says_the_loss(tenant, base_file):
    refused = CliRunner().invoke(commands.base, ["adopt", tenant.slug, str(base_file)])
    assert "does not start from a base model" in str(refused.exception or refused.output)
    configure(tenant, base_model=True)
    run = CliRunner().invoke(commands.base, ["adopt", tenant.slug, str(base_file)], catch_exceptions=False)
    assert "probabilities are those of other partners" in run.output
    with opener(tenant)() as session:
        row = repository.preferred_model(session)
        assert (row.version, row.gates["passed"]) == ("base-1", True)
        assert "epsilon 2.00 at delta 1e-05" in cards.markdown(row.card)
        assert lifecycle.events(session)[0].action == "promoted"
    assert serving.load(tenant, row).calibrator.kind == "identity"


def test_it_is_calibrated_on_own_outcomes_and_scores(partner, base_file):
    configure(partner, give_sums=True, base_model=True)
    service.adopt(partner, opener(partner), json.loads(base_file.read_text()))
    assert scoring.score(partner, opener(partner), DAY).model_version == "base-1"
    assert len(predictions(partner, DAY)) > 0
    row = service.recalibrate(partner, opener(partner))
    assert (row.version, row.state) == ("base-2", "preferred")
    assert row.calibrator["calibrator"]["interruptions"] >= 20
    assert "decisions of this partner" in row.gates["base"]["why"]


def test_few_outcomes_move_the_level_and_keep_the_order(decisions, base_file):
    model = models()["additive"].load(pooled.artifact_of(json.loads(base_file.read_text())))
    own = decisions.where(decisions.labelled)
    raw = model.predict(serving.select(model.features).of(own.X))
    backwards = replace(own, y=(raw < np.quantile(raw, 0.02)).astype(np.int8))
    calibrated = service.calibrate(model, backwards).apply(raw)
    assert (np.argsort(calibrated, kind="stable") == np.argsort(raw, kind="stable")).all()
    assert np.ptp(calibrated) > 0
    assert calibrated.mean() == pytest.approx(backwards.y.mean(), rel=1e-3)


def test_it_does_not_replace_a_model_that_was_trained_here(trained, base_file):
    tenant = trained[0].ref
    configure(tenant, base_model=True)
    row = service.adopt(tenant, opener(tenant), json.loads(base_file.read_text()))
    assert not row.gates["passed"]
    with pytest.raises(Conflict, match="own records serves"):
        lifecycle.promote(tenant, opener(tenant), row.uuid)
    assert service.recalibrate(tenant, opener(tenant)) is None
