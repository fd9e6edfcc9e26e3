"""The operators' pages: opened by operators alone, and those of the business by admins with a second factor."""

from uuid import uuid4

import pytest

from core.database import platform_session
from core.identity.people import accounts, members, sessions
from core.jobs import enqueue
from tests.billing.samples import issued_invoice, plan_code
from tests.core.error_groups.samples import stored_error
from tests.isolation import pages_admin, pages_billing
from tests.isolation.pages import OWN
from tests.keyed import KeyedClient


def client_of(application, person, tenant_id):
    with platform_session() as session:
        if tenant_id is not None:
            members.accept(session, person, tenant_id)
        begun = sessions.begin(session, person, tenant_id, signed_in_by="password")
    client = KeyedClient(application, base_url=OWN, follow_redirects=False)
    client.cookies.set("iit_session", begun.secret)
    return client


@pytest.fixture(scope="module")
def admin(application, world):
    """A client of the partner's admin."""
    email = f"partner_admin-{uuid4().hex[:8]}@example.org"
    person = members.add_member(world.tenant, email, "Person", members.Grant(["partner_admin"]), actor="test:1")
    return client_of(application, person, world.tenant.id)


@pytest.fixture(scope="module")
def job(world):
    """What the operators' pages name: the owner, a job of the owner, and an error."""
    with world.session() as session:
        queued = enqueue(session, "quality.link", {})
    return {
        "slug": world.tenant.slug,
        "job_id": str(queued),
        "error_id": str(stored_error()),
        "flag": "knowledge.language_model",
    }


@pytest.fixture(scope="module")
def operator(application):
    """Clients of operators by role."""
    clients = {}
    for role in ("platform_admin", "platform_support"):
        person = accounts.add_operator(f"{role}-{uuid4().hex[:8]}@example.org", "Operator", role, actor="test:1")
        clients[role] = client_of(application, person, None)
    return clients


@pytest.mark.parametrize("row", pages_admin.OPERATORS, ids=str)
def test_operators_alone_open_their_pages_and_support_changes_nothing(row, operator, job, admin, application):
    assert row.ask(operator["platform_admin"], job).status_code == row.status
    assert row.ask(operator["platform_support"], job).status_code == (200 if row.method == "GET" else 403)
    assert row.ask(admin, job).status_code == 403
    nobody = KeyedClient(application, base_url=OWN, follow_redirects=False)
    assert row.ask(nobody, job).headers["location"].startswith("/sign-in")


@pytest.fixture(scope="module")
def business(world):
    """What the pages of the business name."""
    return {
        "slug": world.tenant.slug,
        "invoice_id": issued_invoice(world.tenant),
        "position": "1",
        "code": plan_code(world.tenant),
        "notice_id": str(uuid4()),
        "credit_id": str(uuid4()),
        "call_id": "1",
        "event_id": "evt_1",
        "difference_id": str(uuid4()),
    }


@pytest.mark.parametrize("row", pages_billing.BUSINESS, ids=str)
def test_only_admins_of_the_platform_open_the_pages_of_the_business(row, operator, business, admin, application):
    assert row.ask(operator["platform_admin"], business).status_code == row.status
    assert row.ask(operator["platform_support"], business).status_code == 403
    assert row.ask(admin, business).status_code == 403
    nobody = KeyedClient(application, base_url=OWN, follow_redirects=False)
    assert row.ask(nobody, business).headers["location"].startswith("/sign-in")


@pytest.mark.parametrize("row", [row for row in pages_billing.BUSINESS if row.method == "GET"], ids=str)
def test_without_a_second_factor_no_page_of_the_business_opens(row, operator, business, settings_of):
    settings_of(operator_second_factor=True)
    answer = row.ask(operator["platform_admin"], business)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")
