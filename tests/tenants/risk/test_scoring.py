"""Scores, reasons and lists of a tenant, from records to what a tracker reads."""

import csv
import io
import json
import math
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest
from click.testing import CliRunner

from core import blobs, metering
from core.errors import Conflict, Invalid, NotFound
from core.jobs.worker import drain
from core.plugins import ArtifactRejected
from core.tenancy import settings as tenant_settings
from tenants.cohort.timelines import to_date
from tenants.risk import commands, explain, repository, scoring, service, serving, worklist
from tenants.risk.failures import ModelFailed
from tenants.risk.input_list import NAMES, THEMES
from tenants.risk.settings import RiskSettings
from tenants.risk.wording import LEAST
from tests.tenants.risk.clinics import END, clinics
from tests.tenants.risk.conftest import opener, predictions, store
from tests.tenants.risk.made_models import signed

DAY = to_date(END)


@pytest.fixture(scope="module")
def scored(trained):
    tenant = trained[0].ref
    return scoring.score(tenant, opener(tenant), DAY, chunk_patients=90)


def model_of(tenant):
    return explain.model_of(tenant, opener(tenant))


def preferred(tenant):
    with opener(tenant)() as session:
        return serving.preferred(session)


def issued(tenant, **order):
    order = worklist.Order(**{"as_of": DAY, "capacity": 3, **order})
    uuid = worklist.issue(tenant, opener(tenant), order)
    with opener(tenant)() as session:
        row, people = worklist.read(session, uuid)
    return row, people.rows


def actions(tenant, action):
    with opener(tenant)() as session, session.cursor() as cursor:
        cursor.execute("SELECT subject_uuid FROM audit_events WHERE action = %s", (action,))
        return [row[0] for row in cursor.fetchall()]


def test_training_promotes_what_beats_the_naive_rule_and_stores_a_card(trained):
    created, outcome = trained
    assert outcome.preferred == "additive-1"
    assert {m["version"]: m["state"] for m in outcome.models} == {"naive-1": "candidate", "additive-1": "champion"}
    with opener(created.ref)() as session:
        card = repository.model_of_version(session, None).card
    assert card["metrics"]["metrics"]["roc_auc"]["low"] > 0.5
    assert card["served"].startswith("the model that was evaluated")
    assert len(actions(created.ref, "risk:model:train")) == 2


def test_everybody_is_on_one_list_at_most_and_scores_come_with_their_origin(trained, scored):
    tenant = trained[0].ref
    columns = "patient_uuid, kind, risk, risk_low, risk_high, model_version, data_date, expected_date"
    rows = predictions(tenant, DAY, columns)
    assert len({row[0] for row in rows}) == len(rows) == scored.at_risk + scored.to_trace
    assert scored.patients == 400
    for _, kind, risk, low, high, version, data_date, expected in rows:
        assert (version, data_date) == ("additive-1", DAY)
        if kind == "at_risk":
            assert 0 < low < high < 1
            assert 0 < risk < 1
        else:
            assert risk is None
        assert (expected >= DAY) == (kind == "at_risk")


def test_the_same_date_scored_twice_gives_the_same_rows(trained, scored):
    tenant = trained[0].ref
    before = predictions(tenant, DAY)
    again = scoring.score(tenant, opener(tenant), DAY)
    assert predictions(tenant, DAY) == before
    assert again == scored
    with opener(tenant)() as session:
        assert metering.totals(session)["patients_scored"] == Decimal(scored.at_risk)


def test_high_is_what_fits_the_capacity_of_each_facility(trained, scored):
    tenant = trained[0].ref
    rows = predictions(tenant, DAY, "facility_uuid, rank, risk, risk_level, within_capacity, kind")
    for facility in {row[0] for row in rows}:
        own = sorted((row for row in rows if row[0] == facility and row[5] == "at_risk"), key=lambda row: row[1])
        assert [row[1] for row in own] == list(range(1, len(own) + 1))
        assert [row[2] for row in own] == sorted((row[2] for row in own), reverse=True)
        high = math.ceil(0.30 * len(own))
        assert [row[3] for row in own[:high]] == ["high"] * high
        assert all(row[4] for row in own[:high])
        assert not any(row[4] for row in own[high:])
        assert {row[3] for row in own[high : math.ceil(0.60 * len(own))]} <= {"medium"}


def test_capacity_is_a_setting_of_the_tenant(make_tenant):
    tenant = make_tenant().ref
    store(tenant, clinics(60, facilities=1))
    with opener(tenant)() as session:
        tenant_settings.put(session, RiskSettings(capacity_share=0.1))
    outcome = scoring.score(tenant, opener(tenant), DAY)
    assert outcome.within_capacity == math.ceil(0.1 * outcome.at_risk)


def test_those_within_capacity_have_reasons_in_words_and_the_rest_on_demand(trained, scored):
    tenant = trained[0].ref
    rows = [row for row in predictions(tenant, DAY) if row[1] == "at_risk"]
    for row in rows:
        assert (row[7] is not None) == row[6]
    reasons = [reason for row in rows if row[6] for reason in row[7]]
    assert {reason["theme"] for reason in reasons} <= {theme.name for theme in THEMES}
    assert all(reason["contribution"] > 0 and reason["text"] for reason in reasons)
    assert any("late at the last refill" in reason["text"] for reason in reasons)


def test_an_explanation_adds_up_exactly_and_agrees_with_the_score(trained, scored):
    tenant = trained[0].ref
    row = next(row for row in predictions(tenant, DAY) if row[1] == "at_risk" and row[6])
    explanation = explain.explain(tenant, opener(tenant), str(row[0]), DAY)
    assert explanation.risk == row[2]
    assert explanation.raw_score == row[3]
    total = (
        explanation.base
        + sum(reason["contribution"] for reason in explanation.reasons)
        + explanation.other_contribution
    )
    assert total == pytest.approx(explanation.raw_log_odds, abs=1e-9)
    assert all(abs(reason["contribution"]) >= LEAST for reason in explanation.reasons)
    assert set(explanation.features) == set(NAMES)
    assert row[7][0] in explanation.reasons
    assert row[0] in actions(tenant, "risk:explanation:read")


def test_contributions_by_theme_sum_to_the_raw_log_odds_without_rounding(trained, scored):
    model = model_of(trained[0].ref)
    rows = np.random.default_rng(1).uniform(0, 3, (50, len(NAMES)))
    base, themes = model.themes(rows)
    raw = model.raw_and_risk(rows)[0]
    np.testing.assert_allclose(base + themes.sum(axis=1), np.log(raw) - np.log1p(-raw), atol=1e-9)


def test_who_is_past_the_expected_contact_is_traced_not_scored(trained, scored):
    tenant = trained[0].ref
    row = next(row for row in predictions(tenant, DAY) if row[1] == "to_trace")
    explanation = explain.explain(tenant, opener(tenant), str(row[0]), DAY)
    assert (explanation.kind, explanation.risk, explanation.reasons) == ("to_trace", None, [])
    assert "days past the expected contact" in explanation.summary


def test_an_unknown_patient_is_not_found(trained, scored):
    tenant = trained[0].ref
    with pytest.raises(NotFound):
        explain.explain(tenant, opener(tenant), str(tenant.id), DAY)


def test_the_two_lists_are_never_mixed_and_each_is_cut_per_facility(trained, scored):
    tenant = trained[0].ref
    risk, risk_people = issued(tenant, kind="at_risk", capacity=4)
    trace, trace_people = issued(tenant, kind="to_trace", capacity=4)
    assert not {p.patient_uuid for p in risk_people} & {p.patient_uuid for p in trace_people}
    assert {p.risk_level for p in risk_people} <= {"high", "medium", "low"}
    assert {p.risk_level for p in trace_people} <= {"late", "iit"}
    for worklist_row, people in ((risk, risk_people), (trace, trace_people)):
        assert worklist_row.entries == len(people)
        for facility in worklist_row.facilities:
            own = [p for p in people if str(p.facility_uuid) == facility["facility_uuid"]]
            assert len(own) == facility["listed"] == min(4, facility["candidates"])
            assert facility["cut_off"] == own[-1].score
            assert [p.rank for p in own] == list(range(1, len(own) + 1))


def test_late_people_come_before_those_in_iit_the_nearest_to_iit_first(trained, scored):
    people = issued(trained[0].ref, kind="to_trace", capacity=500)[1]
    for facility in {p.facility_uuid for p in people}:
        own = [(p.risk_level, p.days_late) for p in people if p.facility_uuid == facility]
        late = [days for level, days in own if level == "late"]
        beyond = [days for level, days in own if level == "iit"]
        assert own == [("late", d) for d in late] + [("iit", d) for d in beyond]
        assert late == sorted(late, reverse=True)
        assert beyond == sorted(beyond)
        assert all(days <= 28 for days in late)
        assert all(days > 28 for days in beyond)


def test_a_list_beyond_the_default_capacity_is_explained_whole(trained, scored):
    people = issued(trained[0].ref, kind="at_risk", capacity=200)[1]
    low = [p for p in people if p.risk_level == "low"]
    assert low
    assert all(isinstance(p.reasons, list) for p in people)
    assert any(p.reasons for p in low)


def test_the_same_list_of_the_same_scoring_is_issued_once(trained, scored):
    tenant = trained[0].ref
    first, people = issued(tenant, kind="at_risk", capacity=2)
    assert issued(tenant, kind="at_risk", capacity=2)[0].uuid == first.uuid
    assert issued(tenant, kind="at_risk", capacity=1)[0].uuid != first.uuid
    assert {p.patient_uuid for p in people} <= set(actions(tenant, "risk:worklist:read"))


def test_a_date_that_was_not_scored_has_no_list(trained, scored):
    with pytest.raises(Conflict, match="has not been scored"):
        issued(trained[0].ref, kind="at_risk", as_of=DAY - timedelta(days=50))


@pytest.mark.parametrize("wrong", [{"kind": "both"}, {"kind": "at_risk", "capacity": 0}])
def test_a_list_that_makes_no_sense_is_rejected(trained, scored, wrong):
    with pytest.raises(Invalid):
        issued(trained[0].ref, **wrong)


def test_a_facility_whose_records_end_early_is_stale_and_its_list_stops(make_tenant):
    tenant = make_tenant().ref
    store(tenant, clinics(80, facilities=1), complete_through=END - 60)
    outcome = scoring.score(tenant, opener(tenant), DAY)
    assert outcome.stale == ["F0"]
    worklist_row, people = issued(tenant, kind="to_trace")
    assert people == []
    assert worklist_row.facilities[0]["stale"]


def test_before_any_training_the_naive_rule_scores_and_says_so(make_tenant):
    tenant = make_tenant().ref
    store(tenant, clinics(50, facilities=2))
    outcome = scoring.score(tenant, opener(tenant), DAY)
    assert outcome.model_version == serving.UNTRAINED
    assert "naive rule" in outcome.note


def test_a_tenant_too_young_to_train_keeps_the_naive_rule_with_shares_of_its_history(make_tenant):
    tenant = make_tenant().ref
    store(tenant, clinics(50, facilities=2))
    training = service.train(tenant, opener(tenant))
    assert (training.preferred, "too young to train" in training.why) == ("naive-1", True)
    scored = scoring.score(tenant, opener(tenant), DAY)
    assert scored.model_version == "naive-1"
    assert "No fitted model serves" in scored.note
    assert preferred(tenant).card["too_young"]


def test_a_tampered_model_is_rejected(trained, scored, monkeypatch):
    tenant = trained[0].ref
    row = preferred(tenant)
    content = blobs.get(tenant, row.blob_key)
    row.blob_sha256 = "0" * 64
    with pytest.raises(ModelFailed, match="was changed after it was signed"):
        serving.load(tenant, row)
    with pytest.raises(ModelFailed, match="cannot be read"):
        serving.load(tenant, signed(tenant, row))
    other = blobs.put(tenant, "model.zip", content[:-40] + b"x" * 40)
    row.blob_key, row.blob_sha256 = other.key, other.sha256
    with pytest.raises(ModelFailed, match="failed to be read") as rejected:
        serving.load(tenant, signed(tenant, row))
    assert isinstance(rejected.value.__cause__, ArtifactRejected)


def test_a_model_of_fewer_features_than_the_platform_computes_is_loaded(trained):
    tenant = trained[0].ref
    row = preferred(tenant)
    row.features = row.features[:-1]
    loaded = serving.load(tenant, signed(tenant, row))
    assert loaded.columns.places.tolist() == list(range(len(NAMES) - 1))


def test_a_model_whose_plugin_is_gone_is_a_clear_error(trained):
    tenant = trained[0].ref
    row = preferred(tenant)
    row.plugin = "removed"
    with pytest.raises(ModelFailed, match="not installed"):
        serving.load(tenant, signed(tenant, row))


def test_evaluation_is_on_what_was_decided_after_training(trained):
    tenant = trained[0].ref
    evaluation = service.evaluate(tenant, opener(tenant))
    assert evaluation["decisions_from"] > evaluation["trained_through"]
    assert evaluation["held_out"]["decisions"] == evaluation["naive_rule"]["decisions"] > 0


def test_without_a_model_there_is_nothing_to_evaluate(tenant):
    with pytest.raises(NotFound, match="no model has been trained"):
        service.evaluate(tenant, opener(tenant))


def test_no_personal_data_is_in_what_is_stored_of_a_model(trained):
    tenant = trained[0].ref
    row = preferred(tenant)
    text = json.dumps([row.card, row.metrics, row.calibrator])
    assert not any(str(uuid) in text for uuid in clinics().uuids())


# Over the API and on the command line


@pytest.fixture(scope="module")
def client(application, trained, scored):
    from tests.keyed import KeyedClient

    with KeyedClient(application, headers={"Authorization": f"Bearer {trained[0].api_key}"}) as opened:
        yield opened


def test_models_are_listed_with_their_cards(client):
    listed = client.get("/v1/risk/models").json()
    champion = next(row for row in listed["items"] if row["state"] == "champion")
    assert client.get(f"/v1/risk/models/{champion['id']}").json()["card"]["intended_use"]


def test_predictions_are_filtered_and_each_read_is_recorded(client, trained):
    answer = client.get("/v1/risk/predictions", params={"as_of": str(DAY), "risk_level": "high", "page_size": 5}).json()
    assert answer["total"] > 5
    assert {row["risk_level"] for row in answer["items"]} == {"high"}
    facilities = client.get("/v1/cohort/facilities").json()["items"]
    assert {row["facility"] for row in answer["items"]} <= {facility["facility"] for facility in facilities}
    assert {row["patient_id"] for row in answer["items"]} <= {
        str(uuid) for uuid in actions(trained[0].ref, "risk:prediction:read")
    }
    assert client.get("/v1/risk/predictions", params={"facility": "nowhere"}).status_code == 422


def test_a_patients_risk_is_explained_over_the_api(client, trained):
    patient = next(row[0] for row in predictions(trained[0].ref, DAY) if row[1] == "at_risk")
    answer = client.get(f"/v1/patients/{patient}/risk", params={"as_of": str(DAY)})
    assert answer.status_code == 200
    assert answer.json()["kind"] == "at_risk"


def test_a_list_is_issued_read_and_given_as_csv(client):
    answer = client.post("/v1/worklists", json={"kind": "at_risk", "as_of": str(DAY), "capacity": 2, "facility": "F1"})
    assert answer.status_code == 201
    listed = answer.json()
    assert (listed["facility"], [row["facility"] for row in listed["facilities"]]) == ("F1", ["F1"])
    assert len(listed["people"]) == 2
    assert {person["clinic"] for person in listed["people"]} == {"Clinic 1"}
    assert client.get(f"/v1/worklists/{listed['id']}").json() == listed
    assert client.get("/v1/worklists", params={"kind": "at_risk"}).json()["total"] >= 1
    rows = list(csv.DictReader(io.StringIO(client.get(f"/v1/worklists/{listed['id']}/file").text)))
    assert [row["patient_id"] for row in rows] == [p["patient_id"] for p in listed["people"]]
    assert {row["facility"] for row in rows} == {"F1"}


def test_scoring_asked_for_over_the_api_is_done_by_a_job(client, trained):
    day = DAY - timedelta(days=1)
    answer = client.post("/v1/risk/scores", json={"as_of": str(day)})
    assert answer.status_code == 202
    drain(trained[0].ref)
    assert client.get(f"/v1/jobs/{answer.json()['job_id']}").json()["state"] == "done"
    assert client.get("/v1/risk/predictions", params={"as_of": str(day)}).json()["total"] > 0


def run(command, *arguments):
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_commands_print_one_object_each(trained, scored):
    slug, day = trained[0].ref.slug, str(DAY)
    assert json.loads(run(commands.score, slug, "--as-of", day, "--json"))["at_risk"] == scored.at_risk
    lists = json.loads(run(commands.worklist, slug, "--as-of", day, "--capacity", "1", "--json"))
    assert set(lists) == {"at_risk", "to_trace"}
    patient = lists["at_risk"]["people"][0]["patient_id"]
    assert json.loads(run(commands.explain, slug, patient, "--as-of", day, "--json"))["patient_id"] == patient
    assert json.loads(run(commands.evaluate, slug, "--json"))["model_version"] == "additive-1"
    assert json.loads(run(commands.model, "card", slug, "--json"))["version"] == "additive-1"


def test_the_commands_tell_a_person(trained, scored):
    slug, day = trained[0].ref.slug, str(DAY)
    assert "to be traced" in run(commands.score, slug, "--as-of", day)
    assert "To be traced: past the expected contact" in run(commands.worklist, slug, "--as-of", day, "--capacity", "2")
    text = run(commands.worklist, slug, "--as-of", day, "--capacity", "2", "--kind", "at-risk", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["list"] for row in rows} == {"at_risk"}
    assert "log-odds" in run(commands.explain, slug, rows[0]["patient_id"], "--as-of", day)
    assert "late last time" in run(commands.evaluate, slug)
    assert "# Model additive-1" in run(commands.model, "card", slug)
    assert "champion" in run(commands.model, "list", slug)


def test_a_list_of_a_day_that_was_not_scored_is_scored_first(trained, scored):
    day = str(DAY - timedelta(days=2))
    lists = json.loads(run(commands.worklist, trained[0].ref.slug, "--as-of", day, "--capacity", "1", "--json"))
    assert lists["at_risk"]["people"]
