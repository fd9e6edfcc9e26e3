"""The admins of a partner whose last webhook was disabled get a letter; others hear of it by their webhooks."""

from uuid import uuid4

import pytest

from core.database import platform_session, tenant_session
from core.identity.people import members
from core.jobs.worker import drain
from core.webhooks import dispatch, service
from tests.core.mail.server import installed


@pytest.fixture
def box(monkeypatch):
    with installed(monkeypatch) as server:
        yield server


@pytest.fixture
def people(tenant):
    """The addresses of an admin and of a viewer."""
    emails = {role: f"{role}-{uuid4().hex[:8]}@example.org" for role in ("partner_admin", "viewer")}
    for role, email in emails.items():
        person = members.add_member(tenant, email, "Ann Ade", members.Grant([role]), actor="test:1")
        with platform_session() as session:
            members.accept(session, person, tenant.id)
    return emails


def test_admins_learn_by_mail_that_the_last_webhook_was_disabled(tenant, receiver, add, publish, box, people):
    gone, _ = add(f"{receiver.url}/gone", "risk.scored")
    before = dispatch.DELIVERIES.value("gone")
    receiver.answers.append((410, {}, b""))
    publish()
    drain(tenant)
    assert [letter["To"] for letter in box.letters] == [people["partner_admin"]]
    assert f"/admin/webhooks/{gone}" in box.letters[0].get_content()
    assert dispatch.DELIVERIES.value("gone") == before + 1
    drain(tenant)
    assert len(box.letters) == 1


def test_nobody_gets_a_letter_while_another_webhook_is_active(tenant, receiver, add, publish, box, people):
    add(f"{receiver.url}/gone", "risk.scored")
    add(f"{receiver.url}/other", dispatch.EVENT)
    receiver.answers.append((410, {}, b""))
    publish()
    drain(tenant)
    assert box.letters == []
    with tenant_session(tenant, actor="test:1") as session:
        assert {row.state for row in service.list_endpoints(session)} == {"active", "disabled"}
