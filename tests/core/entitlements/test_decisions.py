"""A process decides about extras once in half a minute, allows them if nobody decides, and says what to do."""

import time
from uuid import uuid4

import pytest

from core import entitlements
from core.database import TenantRef
from core.entitlements import ALLOWED, CapReached, Decision, PaymentRequired, service
from core.tenancy.provisioning import new_schema_name

UNPAID = Decision(allowed=False, reason="an invoice is unpaid", remedy="Pay it.", status=402)
CAPPED = Decision(allowed=False, reason="the cap is reached", remedy="Wait.", status=429, retry_after=60)


@pytest.fixture
def partner():
    schema = new_schema_name()
    return TenantRef(uuid4(), "p", "P", schema, schema, "default", "active", "UTC")


@pytest.fixture
def deciding(monkeypatch):
    """``deciding(decisions)`` makes the source answer so; it counts how often it is asked."""
    asked = []

    def begin(decisions):
        def decide(tenant):
            asked.append(tenant.slug)
            if isinstance(decisions, Exception):
                raise decisions
            return decisions

        monkeypatch.setattr(service, "source", lambda: decide)
        return asked

    entitlements.forget()
    yield begin
    entitlements.forget()


def test_without_a_source_every_extra_is_allowed(partner, monkeypatch):
    monkeypatch.setattr(service, "source", lambda: None)
    assert [entitlements.allowed(partner, extra) for extra in entitlements.EXTRAS] == [ALLOWED] * 3


def test_the_source_is_asked_once(partner, deciding):
    asked = deciding({"sms": UNPAID})
    for _ in range(3):
        assert entitlements.allowed(partner, "sms") is UNPAID
        assert entitlements.allowed(partner, "new_people") is ALLOWED
    assert len(asked) == 1


def test_a_decision_is_made_again_within_a_minute(partner, deciding, monkeypatch):
    deciding({"sms": UNPAID})
    entitlements.allowed(partner, "sms")
    deciding({})
    moment = time.monotonic()
    monkeypatch.setattr(service.time, "monotonic", lambda: moment + 60)
    assert entitlements.allowed(partner, "sms") is ALLOWED


def test_a_source_that_fails_leaves_what_was_decided(partner, deciding, monkeypatch):
    deciding({"sms": UNPAID})
    entitlements.allowed(partner, "sms")
    deciding(RuntimeError("billing is away"))
    moment = time.monotonic()
    monkeypatch.setattr(service.time, "monotonic", lambda: moment + 60)
    assert entitlements.allowed(partner, "sms") is UNPAID
    entitlements.forget(partner.id)
    assert entitlements.allowed(partner, "sms") is ALLOWED


@pytest.mark.parametrize(("decision", "error", "status"), [(UNPAID, PaymentRequired, 402), (CAPPED, CapReached, 429)])
def test_the_error_has_reason_and_remedy(partner, deciding, decision, error, status):
    deciding({"sms": decision})
    with pytest.raises(error) as raised:
        entitlements.require(partner, "sms")
    shown = (raised.value.status, raised.value.detail, raised.value.remedy, raised.value.retry_after)
    assert shown == (status, decision.reason, decision.remedy, decision.retry_after)


@pytest.mark.parametrize("decision", [UNPAID, CAPPED])
def test_nobody_is_invited_against_the_plan_and_all_else_goes_on(owner, application, client_for, deciding, decision):
    deciding(dict.fromkeys(entitlements.EXTRAS, decision))
    client = client_for(application, owner.api_key)
    answer = client.post("/v1/people", json={"email": "a@example.org", "name": "A", "roles": ["viewer"]})
    assert (answer.status_code, answer.json()["remedy"]) == (decision.status, decision.remedy)
    assert client.get("/v1/people").status_code == 200
    message = {"id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c33", "patient_id": "019c2292-11f9-71c2-9d0e-0b6f5f6f2c34"}
    answer = client.post("/v1/messages", json={**message, "purpose": "follow_up"})
    assert (answer.status_code, answer.json()["detail"]) == (decision.status, decision.reason)
