"""The pages of imports, without a browser: what an import, and an undo, leave to do."""

from datetime import timedelta
from types import SimpleNamespace

import pytest

from core.clock import now
from core.database import platform_session, tenant_session
from core.identity.people import members, sessions
from tenants.imports.models import Import
from tenants.portal import import_pages
from tenants.records.ids import new_uuid
from tests.keyed import KeyedClient

NOT_YET = "Today's list does not have these records yet."
OLDER = "Today's list is older than the last change to the records."
BUTTON = "Make today's list"


@pytest.fixture
def imports(application, make_tenant):
    """A browser of a data officer, an import that ended two hours ago, and one that was undone an hour ago."""
    owner = make_tenant()
    email = f"d@{owner.ref.slug}.example.org"
    person = members.add_member(owner.ref, email, "Data", members.Grant(["data_officer"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, owner.ref.id)
        begun = sessions.begin(session, person, owner.ref.id, signed_in_by="password")
    client = KeyedClient(application)
    client.cookies.set("iit_session", begun.secret)
    ids = {"done": new_uuid(), "undone": new_uuid()}
    with tenant_session(owner.ref, actor="test:1") as session:
        for hours, (state, uuid) in zip((2, 1), ids.items(), strict=True):
            moments = {"created_at": now() - timedelta(hours=hours + 1), "finished_at": now() - timedelta(hours=hours)}
            texts = {"format": "radet", "source": "test", "content_hash": str(uuid), "requested_by": "test:1"}
            session.add(Import(uuid=uuid, state=state, mapping={}, **texts, **moments))
    return client, ids


def listed(monkeypatch, hours, state="done"):
    """Have today's list asked for so many hours ago."""
    job = SimpleNamespace(state=state, created_at=now() - timedelta(hours=hours))
    monkeypatch.setattr(import_pages, "scoring_job", lambda *_: job)


def texts(imports):
    client, ids = imports
    return [client.get(f"/data/imports/{ids[state]}").text.replace("&#39;", "'") for state in ("done", "undone")]


@pytest.mark.parametrize(("hours", "sentence"), [(1.5, OLDER), (2.5, NOT_YET)])
def test_a_list_older_than_an_undo_can_be_made_again_from_both_pages(imports, monkeypatch, hours, sentence):
    listed(monkeypatch, hours)
    done, undone = texts(imports)
    assert (sentence in done, OLDER in undone) == (True, True)
    assert (BUTTON in done, BUTTON in undone) == (True, True)


def test_a_list_made_after_an_undo_is_made_without_its_records(imports, monkeypatch):
    listed(monkeypatch, 0.5)
    done, undone = texts(imports)
    assert "Today's list is made from these records." in done
    assert "Today's list is made without these records." in undone
    assert BUTTON not in done + undone


def test_the_part_about_the_list_renews_itself_while_the_list_is_made(imports, monkeypatch):
    listed(monkeypatch, 0.1, state="running")
    for text in texts(imports):
        assert "Today's list is being made." in text
        assert 'hx-trigger="load delay:5s, happened" hx-select="#what-next"' in text
    listed(monkeypatch, 0.1)
    assert 'hx-select="#what-next"' not in "".join(texts(imports))
