"""Documents over the API and by command: upload, versions, passages, the file, and what others may not do."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from core.identity.keys import create_key
from core.jobs.worker import drain
from tenants.knowledge.commands import knowledge
from tests.keyed import KeyedClient
from tests.tenants.knowledge import files

PATH = "/v1/knowledge/documents"
CALL = files.markdown("Call the patient after seven days.")


@pytest.fixture
def client(library, application):
    return client_of(library, application, "knowledge.read", "knowledge.write")


def client_of(library, application, *permissions):
    key = create_key(library.tenant, name="x", permissions=list(permissions)).plaintext
    return KeyedClient(application, headers={"Authorization": f"Bearer {key}"})


def invoke(*arguments):
    return CliRunner().invoke(knowledge, arguments, catch_exceptions=False).stdout


def upload(client, content=CALL, name="guide.md", **fields):
    return client.post(PATH, files={"file": (name, content)}, data=fields)


def test_an_uploaded_document_is_read_listed_and_downloaded(client, library):
    answer = upload(client, title="Our  guide")
    assert answer.status_code == 202
    document = answer.json()
    assert answer.headers["Location"] == f"{PATH}/{document['id']}"
    assert (document["state"], document["title"], document["version"]) == ("waiting", "Our guide", 1)
    assert client.get(f"{PATH}/{document['id']}/passages").json() == []

    drain(library.tenant)

    assert client.get(f"{PATH}/{document['id']}").json()["state"] == "searchable"
    (passage,) = client.get(f"{PATH}/{document['id']}/passages").json()
    assert passage == {
        "number": 1,
        "section": "Return to care",
        "page": None,
        "text": "Call the patient after seven days.",
    }
    file = client.get(f"{PATH}/{document['id']}/file")
    assert file.content == CALL
    assert file.headers["Content-Disposition"].startswith("attachment")


def test_the_list_has_current_versions_and_earlier_ones_when_asked(client, library):
    upload(client)
    drain(library.tenant)
    upload(client, files.markdown("Call after one day."))
    drain(library.tenant)
    assert [row["version"] for row in client.get(PATH).json()["items"]] == [2]
    assert [row["version"] for row in client.get(PATH, params={"superseded": True}).json()["items"]] == [2, 1]
    assert client.get(PATH, params={"state": "unreadable"}).json()["total"] == 0


def test_a_document_that_cannot_be_read_says_why_and_what_to_do(client, library):
    document = upload(client, b"\0\1\2", "guide.pdf").json()
    drain(library.tenant)
    answer = client.get(f"{PATH}/{document['id']}").json()
    assert answer["problem"] == "the file is no PDF, Word document, web page or text"
    assert answer["remedy"] == "save it as one of these, and upload it again"


@pytest.mark.parametrize(
    ("content", "fields", "field"),
    [
        (b"", {}, "body.file"),
        (CALL, {"language": "English"}, "body.language"),
        (CALL, {"valid_from": "soon"}, "body.valid_from"),
    ],
)
def test_an_upload_that_is_not_valid_names_the_field(client, content, fields, field):
    answer = upload(client, content, **fields)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_deleted_document_is_gone(client, library):
    document = upload(client).json()
    assert client.delete(f"{PATH}/{document['id']}").status_code == 204
    assert client.get(f"{PATH}/{document['id']}").status_code == 404


def test_a_reader_may_read_and_change_nothing(library, application):
    reader = client_of(library, application, "knowledge.read")
    assert reader.get(PATH).status_code == 200
    assert upload(reader).status_code == 403
    assert reader.get("/v1/knowledge/sources").json() == []


def test_the_commands_add_list_show_and_forget(library, tmp_path):
    path = tmp_path / "guide.md"
    path.write_bytes(CALL)
    slug = library.tenant.slug
    added = json.loads(invoke("add", slug, str(path), "--title", "Our guide", "--json"))
    assert (added["name"], added["version"], added["state"]) == ("guide.md", 1, "waiting")
    drain(library.tenant)
    (listed,) = json.loads(invoke("list", slug, "--json"))["documents"]
    assert (listed["id"], listed["state"]) == (added["id"], "searchable")
    (version,) = json.loads(invoke("show", slug, added["id"], "--json"))["versions"]
    assert version["passages"] == 1
    assert json.loads(invoke("sources", slug, "--json")) == {"sources": []}
    assert "deleted" in invoke("forget", slug, added["id"])
    assert json.loads(invoke("list", slug, "--json")) == {"documents": []}
