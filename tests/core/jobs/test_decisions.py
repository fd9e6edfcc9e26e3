"""Dead letters: their failures, hidden values, edited payloads, retries at a rate, and discarding with a reason."""

import json
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from sqlalchemy import text

from core.audit.platform import acts
from core.errors import Conflict, FieldError, Invalid
from core.jobs import Retry, decisions, job, operations
from core.jobs.failures import MOST_ERRORS, MOST_FRAMES, trace_of
from core.jobs.masking import masked, unmasked
from core.jobs.registry import payload_check
from core.jobs.worker import drain
from core.telemetry.redaction import HIDDEN
from tests.core.jobs.conftest import acts as job_acts

SECRET = "Amina Bello, +234 803 555 0101"


@payload_check("testing.checked")
def check_facility(payload):
    if not isinstance(payload.get("facility"), str):
        raise Invalid("the payload is not valid", errors=[FieldError("payload.facility", "is missing")])


@job("testing.checked", retry=Retry(1))
def act_checked(context, payload):
    """Does what the test wants done, and has a check of edited payloads."""
    job_acts[payload["act"]](context, payload)


@job("testing.each", retry=Retry(1))
def act_each(context, payload):
    """The same, of a kind that one test alone has."""
    job_acts[payload["act"]](context, payload)


def read_row(_session, end):
    UUID(end.payload["row"])


@job("testing.row", retry=Retry(1), on_end=read_row)
def act_row(context, payload):
    """The same, of a kind whose end reads a field of the payload."""
    job_acts[payload["act"]](context, payload)


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


def fail(_context, _payload):
    try:
        int(SECRET)
    except ValueError as error:
        raise ZeroDivisionError(SECRET) from error


@pytest.fixture
def dead(tenant, ask):
    """``dead()`` lets a job of the tenant fail for good; gives its id."""

    def die(**options):
        job_id = ask(tenant, options.pop("function", fail), **options)
        drain(tenant)
        return job_id

    return die


def test_a_dead_letter_has_the_first_and_last_failure_and_the_frames_without_values(tenant, ask):
    errors = iter([KeyError("first"), ZeroDivisionError(SECRET), ZeroDivisionError(SECRET)])

    def act(_context, _payload):
        raise next(errors)

    job_id = ask(tenant, act)
    drain(tenant)
    shown = operations.show(job_id)
    (letter,) = shown["dead_letters"]
    assert letter["failures"] == shown["failures"]
    assert letter["failures"]["first"]["error"].startswith("KeyError")
    assert letter["failures"]["last"]["error"].startswith("ZeroDivisionError")
    assert letter["failures"]["first"]["at"] < letter["failures"]["last"]["at"]
    frame = letter["failures"]["trace"][0]["frames"][-1]
    assert (frame["file"], frame["function"]) == ("tests/core/jobs/test_decisions.py", "act")


def test_a_trace_names_causes_and_never_a_value(dead):
    stored = json.dumps(operations.show(dead())["failures"])
    assert "ZeroDivisionError" in stored
    assert "ValueError" in stored
    assert "Amina" not in stored
    assert "0101" not in stored


def test_a_trace_is_bounded():
    def recurse(depth):
        if depth:
            recurse(depth - 1)
        raise KeyError

    error = None
    for _ in range(MOST_ERRORS + 2):
        try:
            try:
                recurse(MOST_FRAMES + 5)
            except KeyError as raised:
                raise ValueError from (error or raised)
        except ValueError as raised:
            error = raised
    trace = trace_of(error)
    assert len(trace) == MOST_ERRORS
    assert max(len(traced["frames"]) for traced in trace) <= MOST_FRAMES


def test_a_worker_that_vanishes_is_a_failure_too(tenant, ask, change, row):
    from core.jobs.broker import LocalMessages
    from core.jobs.relay import Relay

    job_id = ask(tenant)
    change(job_id, "state = 'running', lease_token = gen_random_uuid(), lease_until = now() - interval '1 s'")
    Relay(LocalMessages(), tenant=tenant).tick()
    assert row(job_id)["failures"]["first"]["error"] == "its worker vanished"


def test_an_operator_sees_no_personal_field_and_an_edit_keeps_it(dead, row, open_session, tenant):
    job_id = dead(kind="testing.checked", payload={"facility": "A", "phone": "0803", "people": [{"surname": "Bello"}]})
    shown = operations.show(job_id)["payload"]
    assert (shown["phone"], shown["people"]) == (HIDDEN, [{"surname": HIDDEN}])

    decisions.retry(job_id, payload={**shown, "facility": "B"}, actor="cli:operator")
    stored = row(job_id)
    assert stored["payload"] == {
        **stored["payload"], "facility": "B", "phone": "0803", "people": [{"surname": "Bello"}]
    }  # fmt: skip
    assert (stored["state"], stored["failures"]) == ("queued", None)
    with open_session(tenant) as session:
        detail = session.scalar(text("SELECT detail FROM audit_events WHERE action = 'cli:job:retry'"))
    assert detail == {"kind": "testing.checked", "changed": ["facility"]}


def test_a_hidden_value_in_another_place_is_rejected():
    stored = {"phone": "0803", "list": ["a@example.org"]}
    shown = masked(stored)
    assert unmasked(shown, stored) == stored
    assert unmasked({"phone": "0805"}, stored) == {"phone": "0805"}
    with pytest.raises(Invalid):
        unmasked({**shown, "other": shown["phone"]}, stored)
    with pytest.raises(Invalid):
        unmasked({"list": ["b", *shown["list"]]}, stored)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"facility": 3},
        {"facility": "x" * 100_001},
        {"facility": "A", "n": float("nan")},
        {"facility": "A", "n": nested(900)},
    ],
    ids=["empty", "type", "long", "nan", "deep"],
)
def test_a_payload_that_its_kind_rejects_is_not_retried(dead, row, payload):
    job_id = dead(kind="testing.checked", payload={"facility": "A"})
    with pytest.raises(Invalid):
        decisions.retry(job_id, payload=payload, actor="cli:operator")
    assert row(job_id)["state"] == "dead"


def test_a_hidden_value_of_a_list_stays_with_its_element():
    stored = {"people": [{"id": n, "phone": f"080{n}", "seen": [{"surname": f"B{n}"}]} for n in range(3)]}
    first, second, third = masked(stored)["people"]
    for changed in ([second, first, third], [{**first, "id": 7}, second, third], [{**first, "new": 1}, second, third]):
        with pytest.raises(Invalid):
            unmasked({"people": changed}, stored)
    new = {"id": 7, "phone": "0900", "seen": []}
    edited = unmasked({"people": [new, {**second, "phone": "0901"}, third]}, stored)
    assert edited == {"people": [new, {**stored["people"][1], "phone": "0901"}, stored["people"][2]]}


@pytest.mark.parametrize("edit", [{}, {"row": "x"}, {"row": 3}])
def test_a_payload_that_the_end_of_its_kind_cannot_read_is_not_retried(dead, row, edit):
    job_id = dead(kind="testing.row", payload={"row": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c33"})
    before = row(job_id)
    with pytest.raises(Invalid):
        decisions.retry(job_id, payload={"act": "x", **edit}, actor="cli:operator")
    assert row(job_id) == before


@pytest.mark.parametrize(
    "words",
    ["", "[1]", '"x"', "{", "null", '{"a": NaN}', '{"a": -Infinity}', '{"a": %s}' % ("1" * 5000), "[" * 100_000],
)
def test_an_edited_payload_is_a_json_object(words):
    with pytest.raises(Invalid):
        decisions.parsed(words)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201, "two\nlines"])
def test_discarding_needs_a_reason(dead, row, reason):
    job_id = dead(kind="testing.checked", payload={"facility": "A"})
    with pytest.raises(Invalid):
        decisions.discard(job_id, reason, actor="cli:operator")
    assert row(job_id)["state"] == "dead"


def test_the_jobs_of_a_tenant_are_retried_at_a_rate_with_one_act(tenant, ask, row, monkeypatch):
    ids = [ask(tenant, fail, kind="testing.checked") for _ in range(4)]
    drain(tenant)
    monkeypatch.setattr(decisions, "MOST_RETRIED", 3)
    done = decisions.retry_all(kind="testing.checked", tenant=tenant, per_minute=30, actor="operator:1", source="api")
    assert done == decisions.RetriedJobs(retried=3, skipped=0, more=True, seconds=4.0)
    due = sorted(row(job_id)["run_after"] for job_id in ids if row(job_id)["state"] == "queued")
    assert len(due) == 3
    assert all(after - before >= timedelta(seconds=2) for before, after in pairwise(due))
    (act,) = acts(tenant_id=tenant.id, actions=["api:job:retry_all"])
    assert act["detail"] == {"kind": "testing.checked", "jobs": 3, "per_minute": 30}
    assert decisions.retry_all(tenant=tenant, actor="operator:1").retried == 1


def test_a_job_whose_work_was_requested_again_is_skipped(tenant, ask, dead, row):
    job_id = dead(kind="testing.checked", dedupe_key="same")
    ask(tenant, kind="testing.checked", dedupe_key="same")
    assert decisions.retry_all(tenant=tenant, actor="operator:1").skipped == 1
    assert row(job_id)["state"] == "dead"


def test_work_that_is_requested_again_after_the_check_is_a_conflict(tenant, ask, dead, row, monkeypatch):
    job_id = dead(kind="testing.checked", dedupe_key="same")

    def request_again(*_):
        ask(tenant, kind="testing.checked", dedupe_key="same")

    monkeypatch.setattr(decisions, "_check_state", request_again)
    with pytest.raises(Conflict):
        decisions.retry(job_id, actor="cli:operator")
    assert row(job_id)["state"] == "dead"


@pytest.mark.parametrize("wrong", [{}, {"kind": "testing.checked", "per_minute": 0}])
def test_a_retry_of_everything_is_rejected(wrong):
    with pytest.raises(Invalid):
        decisions.retry_all(actor="operator:1", **wrong)


def test_operators_decide_over_the_api(tenant, dead, row, operator_client):
    client = operator_client("platform_admin")
    first, second, third = (dead(kind="testing.checked", payload={"facility": "A"}) for _ in range(3))
    listed = client.get("/v1/operators/jobs", params={"state": "dead", "tenant": tenant.slug}).json()["jobs"]
    assert {UUID(each["id"]) for each in listed} == {first, second, third}
    shown = client.get(f"/v1/operators/jobs/{first}").json()
    assert shown["letters"][0]["failures"]["trace"][0]["error"] == "ZeroDivisionError"

    edited = {**shown["payload"], "facility": "B"}
    answer = client.post(f"/v1/operators/jobs/{first}/retry", json={"payload": edited})
    assert (answer.status_code, answer.json()["state"]) == (200, "queued")
    assert client.post(f"/v1/operators/jobs/{second}/discard", json={}).status_code == 422
    answer = client.post(f"/v1/operators/jobs/{second}/discard", json={"reason": "a new file came"})
    assert answer.json()["letters"][0]["resolution_reason"] == "a new file came"
    answer = client.post("/v1/operators/jobs/retry", json={"kind": "testing.checked", "tenant": tenant.slug})
    assert answer.json()["retried"] == 1
    assert row(third)["state"] == "queued"

    support = operator_client("platform_support")
    assert support.get(f"/v1/operators/jobs/{first}").status_code == 200
    assert support.post(f"/v1/operators/jobs/{third}/discard", json={"reason": "x"}).status_code == 403


def test_retries_of_one_keyed_request_reach_several_tenants(make_tenant, ask, row, operator_client):
    tenants = [make_tenant().ref for _ in range(2)]
    ids = [ask(tenant, fail, kind="testing.each") for tenant in tenants]
    for tenant in tenants:
        drain(tenant)
    key = {"Idempotency-Key": "retry-once"}
    client = operator_client("platform_admin")
    first = client.post("/v1/operators/jobs/retry", json={"kind": "testing.each"}, headers=key)
    assert (first.status_code, first.json()["retried"]) == (200, 2)
    assert {row(job_id)["state"] for job_id in ids} == {"queued"}
    assert client.post("/v1/operators/jobs/retry", json={"kind": "testing.each"}, headers=key).json() == first.json()
