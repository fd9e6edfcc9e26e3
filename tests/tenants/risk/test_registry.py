"""The registry of models: signatures, promotion, approval, roll-back, and what happened."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from psycopg import sql
from sqlmodel import select

from core import blobs
from core.database import tenant_session
from core.errors import Conflict, NotFound
from core.tenancy import settings as tenant_settings
from tenants.records.ids import new_uuid
from tenants.risk import repository, restored, serving
from tenants.risk.failures import ModelFailed
from tenants.risk.models import RiskModel
from tenants.risk.registry import artifacts, commands, lifecycle, lineage, trials
from tenants.risk.settings import RiskSettings
from tests.tenants.risk.made_models import champion_of, opener, serve, small_artifact, small_model


@pytest.fixture(scope="module")
def partner(make_tenant):
    return make_tenant().ref


@pytest.fixture
def version():
    return f"additive-{new_uuid().hex[-12:]}"


def row_of(tenant, uuid):
    with opener(tenant)() as session:
        row = repository.get_model(session, uuid)
        session.expunge(row)
    return row


def change(tenant, uuid, assignment, *values):
    with opener(tenant)() as session, session.cursor() as cursor:
        query = sql.SQL("UPDATE models SET {} WHERE uuid = %s").format(sql.SQL(assignment))
        cursor.execute(query, (*values, uuid))


# Signed and content-addressed


@pytest.mark.parametrize(
    "assignment",
    [
        "calibrator = jsonb_set(calibrator, '{calibrator,decisions}', '101')",
        "features = features - 0",
        'gates = \'{"passed": true, "performance": {"passed": true}}\'',
        "plugin_version = '9'",
        "blob_sha256 = repeat('0', 64)",
        "version = version || '-x'",
    ],
)
def test_a_model_whose_row_was_changed_is_rejected(partner, version, assignment):
    uuid = small_model(partner, version)
    serving.load(partner, row_of(partner, uuid))
    change(partner, uuid, assignment)
    with pytest.raises(ModelFailed, match="was changed after it was signed"):
        serving.load(partner, row_of(partner, uuid))


def test_a_model_without_a_signature_is_rejected_until_somebody_signs_it(partner, version):
    uuid = small_model(partner, version)
    change(partner, uuid, "signature = NULL")
    with pytest.raises(ModelFailed, match="is not signed"):
        serving.load(partner, row_of(partner, uuid))
    signed = CliRunner().invoke(commands.model, ["sign", partner.slug, version], catch_exceptions=False)
    assert signed.exit_code == 0
    serving.load(partner, row_of(partner, uuid))


def test_a_changed_file_is_rejected_though_its_key_is_the_same(partner, version):
    uuid = small_model(partner, version)
    row = row_of(partner, uuid)
    content = blobs.get(partner, row.blob_key)
    blobs.put_back(partner, row.blob_key, content[:-1] + b"x")
    with pytest.raises(ModelFailed, match="cannot be read"):
        serving.load(partner, row)
    artifacts.store(partner, small_artifact())
    serving.load(partner, row)


def test_a_signature_is_of_its_tenant_alone(partner, version, make_tenant):
    row = row_of(partner, small_model(partner, version))
    other = make_tenant().ref
    small_model(other, version)
    with pytest.raises(ModelFailed, match="was changed"):
        artifacts.verify(other, row)


def test_equal_artifacts_are_stored_once_under_their_hash(partner):
    first, _ = artifacts.store(partner, small_artifact())
    again, is_new = artifacts.store(partner, small_artifact())
    assert (first.key, first.sha256) == (again.key, again.sha256)
    assert first.sha256.startswith(first.key.removeprefix("keep/").split("-")[0])
    assert not is_new


def test_numbers_are_signed_as_the_database_gives_them_back():
    stored = {"b": [1e-7, 1.0, 0.0, 1e16, True, None], "a": "x"}
    back = {"a": "x", "b": [1e-07, 1, 0, 10000000000000000, True, None]}
    assert artifacts._canonical(stored) == artifacts._canonical(back)
    assert artifacts._canonical({"a": 1}) != artifacts._canonical({"a": True})


def test_models_of_a_restored_tenant_are_signed_by_its_new_keys(partner, version):
    uuid = small_model(partner, version)
    change(partner, uuid, "signature = %s", "v1:of-another-installation")
    unsigned = small_model(partner, f"{version}-unsigned")
    change(partner, unsigned, "signature = NULL")
    with opener(partner)() as session:
        restored.tenant_restored(session, {})
    serving.load(partner, row_of(partner, uuid))
    assert row_of(partner, unsigned).signature is None


# Promotion


def test_a_promoted_model_scores_and_a_roll_back_returns_to_the_one_before(partner, version):
    first, second = (small_model(partner, f"{version}-{number}") for number in (1, 2))
    serve(partner, first)
    assert lifecycle.promote(partner, opener(partner), second, "reviewed").state == "preferred"
    assert row_of(partner, first).state == "retired"
    assert champion_of(partner).trial["kind"] == "canary"
    assert lifecycle.roll_back(partner, opener(partner), "too many calls").uuid == first
    assert champion_of(partner).uuid == first
    assert row_of(partner, second).trial["result"] == "rolled_back"
    with opener(partner)() as session:
        events = [(event.action, event.note) for event in lifecycle.events(session)[:2]]
    assert events == [("rolled_back", "too many calls"), ("promoted", "reviewed")]


def test_promoting_the_champion_again_changes_nothing(partner, version):
    uuid = small_model(partner, version)
    serve(partner, uuid)
    lifecycle.promote(partner, opener(partner), uuid)
    with opener(partner)() as session:
        assert not lifecycle.events(session, uuid)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"gates": {"passed": False, "performance": {"passed": False, "why": "no better"}}}, "performance .no better"),
        ({"state": "failed", "gates": {"passed": False, "why": "it was killed"}}, "it was killed"),
        ({"trial": {"kind": "ab", "state": "ended", "result": "worse"}}, "was worse than the champion"),
    ],
)
def test_a_bad_model_is_not_promoted(partner, version, changes, why):
    serve(partner, small_model(partner, f"{version}-champion"))
    uuid = small_model(partner, version, **changes)
    with pytest.raises(Conflict, match=why):
        lifecycle.promote(partner, opener(partner), uuid)
    assert champion_of(partner).version == f"{version}-champion"


def test_a_tampered_model_is_not_promoted(partner, version):
    serve(partner, small_model(partner, f"{version}-champion"))
    uuid = small_model(partner, version, gates={"passed": False})
    change(partner, uuid, "gates = '{\"passed\": true}'")
    with pytest.raises(Conflict, match="was changed after it was signed"):
        lifecycle.promote(partner, opener(partner), uuid)


def test_where_approvals_are_needed_somebody_else_gives_them(partner, version):
    serve(partner, small_model(partner, f"{version}-champion"))
    uuid = small_model(partner, version)
    with opener(partner)() as session:
        tenant_settings.put(session, RiskSettings(approval=True))
    try:
        with opener(partner)() as session:
            lifecycle.approve(session, uuid, "my own")
        with pytest.raises(Conflict, match="no approval by somebody else"):
            lifecycle.promote(partner, opener(partner), uuid)
        with tenant_session(partner, actor="test:2") as session:
            lifecycle.approve(session, uuid, "I read the card")
        assert lifecycle.promote(partner, opener(partner), uuid).uuid == uuid
    finally:
        with opener(partner)() as session:
            tenant_settings.put(session, RiskSettings())


def test_without_a_former_model_there_is_no_roll_back(make_tenant):
    fresh = make_tenant().ref
    with pytest.raises(Conflict, match="no other model has scored before"):
        lifecycle.roll_back(fresh, opener(fresh))


def test_a_champion_is_not_retired_and_a_candidate_is(partner, version):
    champion, other = small_model(partner, f"{version}-1"), small_model(partner, f"{version}-2")
    serve(partner, champion)
    with opener(partner)() as session, pytest.raises(Conflict, match="it is champion"):
        lifecycle.retire(session, champion, "")
    with opener(partner)() as session:
        assert lifecycle.retire(session, other, "old").state == "retired"


def test_one_model_at_a_time_is_compared(partner, version):
    champion, first, second = (small_model(partner, f"{version}-{number}") for number in (1, 2, 3))
    serve(partner, champion)
    with opener(partner)() as session:
        assert trials.start_shadow(session, first).state == "shadow"
    with opener(partner)() as session, pytest.raises(Conflict, match="is in a trial already"):
        trials.start_shadow(session, second)
    with opener(partner)() as session:
        assert trials.stop(session, first, "enough").trial["result"] == "stopped"
    with opener(partner)() as session, pytest.raises(Conflict, match="is in no trial"):
        trials.stop(session, first, "")
    with opener(partner)() as session, pytest.raises(NotFound):
        trials.start_shadow(session, new_uuid())


def test_a_new_champion_ends_the_comparison_with_the_former_one(partner, version):
    champion, compared, promoted = (small_model(partner, f"{version}-{number}") for number in (1, 2, 3))
    serve(partner, champion)
    with opener(partner)() as session:
        trials.start_shadow(session, compared)
    lifecycle.promote(partner, opener(partner), promoted)
    row = row_of(partner, compared)
    assert (row.state, row.trial["result"]) == ("candidate", "stopped")


# On the command line


def test_the_command_line_promotes_rolls_back_compares_and_tells_the_history(partner, version):
    champion, other = f"{version}-1", f"{version}-2"
    serve(partner, small_model(partner, champion))
    small_model(partner, other)

    def run(*words):
        result = CliRunner().invoke(commands.model, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert other in run("compare", partner.slug, other)
    assert "Too few outcomes" in run("trial", partner.slug, "--look")
    assert other in run("stop", partner.slug, other, "--note", "enough")
    assert "Approved" in run("approve", partner.slug, other)
    assert f"Scores from now on: {other}" in run("promote", partner.slug, other, "--note", "reviewed")
    assert f"Scores again from now on: {champion}" in run("roll-back", partner.slug)
    assert "Retired" in run("retire", partner.slug, other)
    history = run("history", partner.slug)
    assert "rolled_back" in history
    assert "reviewed" in history
    assert "champion" in run("list", partner.slug)


# What a model came from


def test_the_code_has_one_fingerprint_and_every_trained_model_says_it(trained):
    tenant = trained[0].ref
    origin = champion_of(tenant).lineage
    assert origin["code"]["sha256"] == lineage.code_fingerprint()
    assert origin["data"]["decisions"] > 0
    assert len(origin["data"]["sha256"]) == 64
    assert origin["settings"]["training_years"] == 6
    with opener(tenant)() as session:
        rows = session.exec(select(RiskModel)).all()
        assert {row.lineage["data"]["sha256"] for row in rows} == {origin["data"]["sha256"]}
        assert all(row.signature for row in rows)
