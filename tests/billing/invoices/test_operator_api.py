"""The routes by which an operator grants credits and corrects invoices."""

from uuid import uuid4

from fastapi.testclient import TestClient
from sqlmodel import select

from billing.invoices.models import Credit, Invoice
from core.database import platform_session
from tests.billing.samples import issued_invoice

BASE = "/v1/operators/billing"
KEY = "Idempotency-Key"


def effects(tenant):
    """The credits and the credit notes of a tenant."""
    notes = select(Invoice.id).where(Invoice.tenant_id == tenant.id, Invoice.kind == "credit_note")
    with platform_session() as session:
        return len(session.exec(select(Credit.id).where(Credit.tenant_id == tenant.id)).all()), len(
            session.exec(notes).all()
        )


def test_a_credit_and_a_credit_note_need_a_key_and_a_retry_has_no_second_effect(admin, tenant):
    invoice_id = issued_invoice(tenant)
    bodies = {
        f"{BASE}/tenants/{tenant.slug}/credits": {"amount": "5", "currency": "USD", "reason": "Start"},
        f"{BASE}/invoices/{invoice_id}/credit-notes": {"amount": "2", "reason": "A day off"},
    }
    for path, body in bodies.items():
        assert TestClient.request(admin, "POST", path, json=body).status_code == 400
    assert effects(tenant) == (0, 0)
    for path, body in bodies.items():
        key = {KEY: str(uuid4())}
        first, again = (admin.post(path, json=body, headers=key) for _ in range(2))
        assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
        assert again.headers["Idempotency-Replayed"] == "true"
        assert admin.get(first.headers["location"]).status_code == 200
        assert admin.post(path, json={**body, "amount": "1"}, headers=key).status_code == 422
    assert effects(tenant) == (1, 1)
