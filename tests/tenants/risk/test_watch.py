"""The watch over models: what it finds in records, what it stores and publishes, and what its API answers."""

import csv
import io
import json
from datetime import timedelta

import numpy as np
import pytest

from core.errors import NotFound
from core.jobs.worker import drain
from tenants.cohort.timelines import to_date
from tenants.risk import checks, watch
from tenants.risk.bias import service as bias
from tenants.risk.drift import service as drift
from tenants.risk.feature_store import parity, reading, snapshots
from tenants.risk.input_list import NAMES
from tenants.risk.scoring import score
from tests.tenants.risk.clinics import END
from tests.tenants.risk.conftest import opener, predictions

DAY = to_date(END - 80)
SUPPLY = NAMES.index("days_supplied")


@pytest.fixture(scope="module")
def partner(trained):
    """A tenant that was scored on a day whose outcomes are known."""
    tenant = trained[0].ref
    score(tenant, opener(tenant), DAY)
    return tenant


@pytest.fixture
def published(monkeypatch):
    signals = {}

    def publish(_session, name, event):
        assert name == "models.drift"
        signals[event["subject"]] = event

    monkeypatch.setattr(drift, "publish", publish)
    monkeypatch.setattr(parity, "publish", publish)
    return signals


def change(tenant, statement, *values):
    with opener(tenant)() as session:
        session.cursor().execute(statement, values)


def newest(tenant, kind):
    with opener(tenant)() as session:
        check = checks.newest(session, kind)
        if check is not None:
            session.expunge(check)
        return check


def test_undisturbed_records_raise_nothing_and_are_described(partner, published):
    comparison = drift.look(partner, opener(partner))
    assert comparison.enough
    assert {subject: event["ended"] for subject, event in published.items()} == dict.fromkeys(
        ("features", "records", "scores", "facilities"), True
    )
    check = newest(partner, "drift")
    assert (check.as_of, check.passed, check.patients) == (to_date(END), True, comparison.people)
    assert check.figures["earlier_days"][0] == str(to_date(END - 28))
    columns = {column["name"]: column for column in newest(partner, "features").figures["columns"]}
    assert columns["days_supplied"]["known"] == 1
    assert sum(columns["age"]["histogram"]["counts"]) == comparison.people
    explained = newest(partner, "explanations").figures
    assert explained["features"][0]["importance"] > 0
    assert explained["stability"]["first"] > 0.5


def test_facts_that_are_no_longer_recorded_are_found_and_end(partner, published):
    since = to_date(END - 27)
    change(partner, "UPDATE contacts SET days_supplied = NULL WHERE contact_date >= %s", since)
    drift.look(partner, opener(partner))
    assert not published["features"]["ended"]
    assert published["features"]["value"] >= 1
    assert "supply_left" in published["features"]["facts"]["names"]
    assert not newest(partner, "drift").passed
    change(partner, "UPDATE contacts SET days_supplied = 30 WHERE contact_date >= %s", since)
    drift.look(partner, opener(partner))
    assert published["features"]["ended"]


def test_groups_are_compared_on_what_became_of_predictions(partner):
    divisions = {division.name: division for division in bias.look(opener(partner))}
    assert list(divisions) == ["sex", "age_band", "facility", "state"]
    assert {group.label for group in divisions["sex"].groups} == {"female", "male"}
    assert len(divisions["facility"].groups) == 6
    check = newest(partner, "bias")
    assert check.as_of == DAY
    assert check.figures["decisions"] == sum(group.decisions for group in divisions["sex"].groups)
    assert check.figures["listed_by"] == "capacity"
    assert check.passed


def test_planted_bias_is_found(partner):
    change(
        partner,
        "UPDATE predictions SET risk = risk / 8 FROM patients AS p"
        " WHERE p.uuid = patient_uuid AND p.sex = 'M' AND predictions.as_of = %s",
        DAY,
    )
    sexes = {group.label: group.verdict for group in bias.look(opener(partner))[0].groups}
    assert sexes["male"] == "higher"
    assert not newest(partner, "bias").passed
    change(
        partner,
        "UPDATE predictions SET risk = risk * 8 FROM patients AS p"
        " WHERE p.uuid = patient_uuid AND p.sex = 'M' AND predictions.as_of = %s",
        DAY,
    )


def test_groups_of_an_audit_are_answered_and_never_stored(partner):
    extra = {row[0]: "key population" for row in predictions(partner, DAY, "patient_uuid")[:80]}
    divisions = bias.look(opener(partner), extra)
    assert {group.label for group in divisions[-1].groups} == {"key population", "not recorded"}
    assert "key population" not in json.dumps(newest(partner, "bias").figures)


def test_online_and_offline_values_are_equal(partner, published, monkeypatch):
    check = parity.look(partner, opener(partner))
    assert (check.as_of, check.passed, check.patients) == (DAY, True, parity.PATIENTS)
    assert published["parity"]["ended"]
    whole = parity.matrix

    def other(timelines, *rest):
        return whole(timelines, *rest) + (len(timelines) == 1)

    monkeypatch.setattr(parity, "matrix", other)
    check = parity.look(partner, opener(partner))
    assert not check.passed
    assert (published["parity"]["ended"], published["parity"]["facts"]["what"]) == (False, "parity")


def test_a_snapshot_has_what_each_patients_page_has_and_its_lineage(partner):
    taken = snapshots.take(partner, opener(partner), DAY)
    rows = list(csv.DictReader(io.StringIO(snapshots.read_file(partner, taken).decode())))
    assert len(rows) == taken.figures["rows"] == taken.patients
    assert taken.figures["columns"] == len(NAMES)
    assert taken.figures["definitions"] == snapshots.definitions_digest()
    with opener(partner)() as session:
        for row in rows[:3]:
            (one,) = reading.read_patient(session, row["patient_id"], DAY).rows
            assert str(one.expected_date) == row["expected_date"]
            for name in NAMES:
                assert one.values[name] == (None if row[name] == "" else pytest.approx(float(row[name])))


def test_values_of_a_day_do_not_know_what_was_recorded_later(partner):
    uuid = next(uuid for uuid, risk in predictions(partner, DAY, "patient_uuid, risk") if risk is not None)
    with opener(partner)() as session:
        before = reading.read_patient(session, uuid, DAY)
    change(
        partner,
        "INSERT INTO contacts (contact_id, patient_uuid, contact_date, facility_uuid, clinical, pickup, known_from,"
        " known_assumed) SELECT gen_random_uuid(), patient_uuid, %s, facility_uuid, true, true, %s, false"
        " FROM contacts WHERE patient_uuid = %s LIMIT 1",
        DAY - timedelta(days=5),
        DAY + timedelta(days=9),
        uuid,
    )
    with opener(partner)() as session:
        assert reading.read_patient(session, uuid, DAY) == before
        assert reading.read_patient(session, uuid, DAY + timedelta(days=10)).rows != before.rows


def test_a_snapshot_whose_file_is_gone_says_so(partner):
    from core import blobs

    taken = snapshots.take(partner, opener(partner), DAY + timedelta(days=1))
    blobs.delete(partner, taken.blob_key)
    with pytest.raises(NotFound, match="not stored any more"):
        snapshots.read_file(partner, taken)


def test_the_schedule_looks_at_all_and_the_api_answers(partner, trained, client_for, application):
    with opener(partner)() as session:
        watch.enqueue_watch(session, None)
    drain(partner)
    client = client_for(application, trained[0].api_key)
    assert client.get("/v1/risk/drift").json()[0]["as_of"] == str(to_date(END))
    assert client.get("/v1/risk/bias").json()[0]["figures"]["divisions"][0]["name"] == "sex"
    features = client.get("/v1/risk/features").json()
    assert [feature["name"] for feature in features["features"]] == list(NAMES)
    assert features["features"][SUPPLY]["distribution"]["known"] > 0.9
    assert features["parity"] is True
    uuid = next(uuid for uuid, risk in predictions(partner, DAY, "patient_uuid, risk") if risk is not None)
    answer = client.get(f"/v1/patients/{uuid}/features", params={"as_of": str(DAY)}).json()
    assert len(answer["rows"][0]["values"]) == len(NAMES)


def test_a_snapshot_is_taken_by_a_job_and_downloaded(partner, trained, client_for, application):
    client = client_for(application, trained[0].api_key)
    day = str(DAY + timedelta(days=2))
    assert client.post("/v1/risk/feature-snapshots", json={"as_of": day}).status_code == 202
    drain(partner)
    taken = next(each for each in client.get("/v1/risk/feature-snapshots").json() if each["as_of"] == day)
    file = client.get(f"/v1/risk/feature-snapshots/{taken['id']}/file")
    assert file.headers["content-type"].startswith("text/csv")
    assert len(file.text.splitlines()) == taken["lineage"]["rows"] + 1


def test_a_tenant_without_records_is_left_alone(tenant):
    assert drift.look(tenant, opener(tenant)) is None
    assert bias.look(opener(tenant)) == []
    assert parity.look(tenant, opener(tenant)) is None
    assert newest(tenant, "drift") is None


def test_no_distribution_points_to_a_person():
    from tenants.risk.feature_store.distributions import FEWEST_PEOPLE, distributions

    few = np.zeros((FEWEST_PEOPLE - 1, len(NAMES)))
    assert distributions(few) == []
    rare = np.full((400, len(NAMES)), np.nan)
    rare[:19, SUPPLY] = 30
    assert distributions(rare)[SUPPLY] == {"name": "days_supplied", "version": 1, "known": 19 / 400}
