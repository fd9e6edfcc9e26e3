"""One-time links by mail: sent by a job after the act, in the reader's language, and only while the link works."""

import json
import re
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from core.clock import now
from core.database import node_session, platform_session, tenant_session
from core.identity.people import link_mail, links
from core.jobs.worker import drain

BODY = {"email": "ann@example.org", "name": "Ann Ade", "roles": ["viewer"]}


@pytest.fixture
def owner(make_tenant):
    return make_tenant(name="Lakeside Care")


@pytest.fixture
def client(application, client_for, owner):
    return client_for(application, owner.api_key)


def jobs(tenant):
    with node_session(tenant.database) as session:
        query = "SELECT state, payload, attempts FROM node.jobs WHERE tenant_role = :role AND kind = 'events.deliver'"
        return session.execute(text(query), {"role": tenant.role_name}).mappings().all()


def test_an_invitation_is_mailed_after_the_act_and_its_link_works(box, client, owner):
    invited = client.post("/v1/people", json=BODY).json()
    assert box.letters == []
    drain(owner.ref)
    (letter,) = box.letters
    assert (letter["To"], letter["From"]) == ("ann@example.org", "Platform <iit@example.org>")
    assert letter["Subject"] == "Lakeside Care invites you"
    address = re.search(r"https://iit\.example\.org(/password/\S+)", letter.get_content())
    assert address[1] == invited["link"]["path"]
    assert links.holder_of(address[1].removeprefix(links.PATH)).email == BODY["email"]
    drain(owner.ref)
    assert len(box.letters) == 1


def test_neither_the_event_nor_the_job_has_the_address_or_the_secret(box, client, owner):
    invited = client.post("/v1/people", json=BODY).json()
    drain(owner.ref)
    with node_session(owner.ref.database) as session:
        event = session.execute(
            text("SELECT payload FROM node.outbox WHERE tenant_role = :role"), {"role": owner.ref.role_name}
        ).scalar_one()
    stored = json.dumps([event, *(job["payload"] for job in jobs(owner.ref))])
    secret = invited["link"]["path"].removeprefix(links.PATH)
    assert not any(word in stored for word in (secret, "ann@", "Ann Ade"))


@pytest.mark.parametrize(
    ("language", "chosen", "subject"),
    [
        ("fr", None, "Lakeside Care vous invite"),
        ("en", "pt", "Lakeside Care convida-o"),
        ("pt", "xx", "Lakeside Care convida-o"),
    ],
)
def test_the_letter_is_in_the_readers_language_else_in_that_of_the_request(
    box, client, owner, language, chosen, subject
):
    client.headers["Accept-Language"] = language
    person = client.post("/v1/people", json=BODY).json()["id"]
    with platform_session() as session:
        session.execute(
            text("UPDATE platform.people SET language = :code WHERE id = :id"), {"code": chosen, "id": UUID(person)}
        )
    drain(owner.ref)
    assert box.letters[0]["Subject"] == subject


def test_a_link_that_was_replaced_or_revoked_is_not_mailed(box, client, owner):
    person = client.post("/v1/people", json=BODY).json()["id"]
    second = client.post(f"/v1/people/{person}/links", json={}).json()
    drain(owner.ref)
    assert [second["path"] in letter.get_content() for letter in box.letters] == [True]
    client.post(f"/v1/people/{person}/links", json={})
    client.delete(f"/v1/people/{person}/links")
    drain(owner.ref)
    assert len(box.letters) == 1
    assert {job["state"] for job in jobs(owner.ref)} == {"done"}


def test_a_letter_that_the_server_rejects_is_tried_again_as_the_same_letter(box, client, owner):
    box.rejects = BODY["email"]
    client.post("/v1/people", json=BODY)
    drain(owner.ref)
    (job,) = jobs(owner.ref)
    assert (job["state"], job["attempts"], box.letters) == ("queued", 1, [])
    box.rejects = ""
    with node_session(owner.ref.database) as session:
        session.execute(
            text("UPDATE node.jobs SET run_after = now() WHERE tenant_role = :role"), {"role": owner.ref.role_name}
        )
    drain(owner.ref)
    assert box.letters[0]["Message-ID"] == f"<{job['payload']['event_id']}@iit.example.org>"


def test_without_a_mail_server_nothing_is_published(client, owner):
    assert client.post("/v1/people", json=BODY).status_code == 201
    drain(owner.ref)
    assert jobs(owner.ref) == []


def test_a_link_that_has_not_committed_yet_is_mailed_later(box, client, owner):
    person = UUID(client.post("/v1/people", json=BODY).json()["id"])
    drain(owner.ref)
    late = links.Link(uuid4(), f"{links.PATH}secret", now())
    with tenant_session(owner.ref, actor="test:1") as session:
        link_mail.publish_link(session, late, person)
    drain(owner.ref)
    assert sorted(job["state"] for job in jobs(owner.ref)) == ["done", "queued"]
    assert len(box.letters) == 1
