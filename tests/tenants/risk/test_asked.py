"""What was asked for of a scored tenant: who is due soon, which days can be scored, what an evaluation kept."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from core import blobs
from core.errors import Invalid
from tenants.cohort.timelines import to_date
from tenants.risk import explain, repository, scoring, serving, staleness, worklist
from tenants.risk.schemas import ModelEvaluation
from tests.tenants.risk.clinics import END
from tests.tenants.risk.conftest import opener

DAY = to_date(END)


@pytest.fixture(scope="module")
def scored(trained):
    tenant = trained[0].ref
    return scoring.score(tenant, opener(tenant), DAY)


def model_of(tenant):
    return explain.model_of(tenant, opener(tenant))


def issued(tenant, **order):
    order = worklist.Order(**{"as_of": DAY, "capacity": 3, **order})
    uuid = worklist.issue(tenant, opener(tenant), order)
    with opener(tenant)() as session:
        row, people = worklist.read(session, uuid)
        return row, people.rows


def test_a_list_of_who_is_due_soon_holds_nobody_expected_later_and_ranks_anew(trained, scored):
    tenant = trained[0].ref
    worklist_row, people = issued(tenant, kind="at_risk", capacity=3, due_within=7)
    assert worklist_row.due_within == 7
    assert people
    assert all(entry.expected_date <= DAY + timedelta(days=7) for entry in people)
    for facility in {entry.facility_uuid for entry in people}:
        own = [entry for entry in people if entry.facility_uuid == facility]
        assert [entry.rank for entry in own] == list(range(1, len(own) + 1))
        assert [entry.score for entry in own] == sorted((entry.score for entry in own), reverse=True)
    whole, _ = issued(tenant, kind="at_risk", capacity=3)
    assert whole.uuid != worklist_row.uuid
    assert whole.candidates > worklist_row.candidates
    with pytest.raises(Invalid) as rejected:
        issued(tenant, kind="to_trace", due_within=7)
    assert [error.field for error in rejected.value.errors] == ["due_within"]


@pytest.mark.parametrize(
    ("day", "message"), [(DAY + timedelta(days=365 * 150), "lies ahead"), (DAY + timedelta(days=60), "records of all")]
)
def test_a_day_that_no_list_can_be_of_is_rejected_with_what_to_do(trained, day, message):
    with opener(trained[0].ref)() as session, pytest.raises(Invalid, match=message) as rejected:
        staleness.day_to_score(session, day)
    assert rejected.value.errors[0].field == "as_of"
    assert "score as of" in rejected.value.remedy


def test_a_day_within_reach_of_the_records_can_be_scored(trained):
    with opener(trained[0].ref)() as session:
        assert staleness.day_to_score(session, DAY) == DAY


def test_what_an_evaluation_found_is_kept_with_the_model(trained):
    tenant = trained[0].ref
    with opener(tenant)() as session:
        row = repository.preferred_model(session)
        repository.store_evaluation(session, row.uuid, {"decisions_from": DAY, "share": np.float64(0.5)})
        uuid, before = row.uuid, dict(row.metrics)
    with opener(tenant)() as session:
        stored = ModelEvaluation.of(repository.get_model(session, uuid))
    assert stored.since_training["decisions_from"] == DAY.isoformat()
    assert stored.since_training["share"] == 0.5
    assert stored.when_trained == {name: value for name, value in before.items() if name != "since_training"}


def test_a_model_is_read_once_by_a_process_and_a_newly_preferred_one_at_once(trained, monkeypatch):
    tenant = trained[0].ref
    first = model_of(tenant)
    monkeypatch.setattr(blobs, "get", lambda *_, **__: pytest.fail("read again"))
    assert model_of(tenant) is first
    with opener(tenant)() as session:
        with session.cursor() as cursor:
            cursor.execute("UPDATE models SET blob_sha256 = repeat('0', 64) WHERE state = 'preferred'")
        assert serving.cached(session) is None
        session.rollback()
