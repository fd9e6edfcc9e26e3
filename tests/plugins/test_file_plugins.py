"""The first-party importers and sources of knowledge: where they look, and what they choose."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.importers import FolderImporter, HttpsImporter, S3Importer, SftpImporter
from plugins.sdk import Entry, HttpRequest, HttpResponse, Importer, Location, RagSource
from plugins.sources import FolderSource, HttpsSource
from tests.plugins.performing import marked, perform
from tests.vendors.files import FileServer

NOW = datetime(2026, 1, 2, tzinfo=UTC)
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"
S3 = {"bucket": "lists", "prefix": "/daily/", "key_id": "id", "secret_key": "x", "region": "eu-west-1"}
SFTP = {"host": "sftp.example.org", "path": "out", "user": "iit", "password": "x", "host_key": KEY}


@pytest.mark.parametrize(("plugin", "protocol", "valid"), [
    (FolderImporter(), Importer, {"folder": "/data"}),
    (S3Importer(), Importer, {**S3, "prefix": "daily"}),
    (SftpImporter(), Importer, SFTP),
    (HttpsImporter(), Importer, {"url": "https://example.org/a.csv"}),
    (FolderSource(), RagSource, {"folder": "/data"}),
    (HttpsSource(), RagSource, {"urls": ["https://example.org/a.pdf"]}),
])  # fmt: skip
def test_a_plugin_of_files_has_a_valid_schema(plugin, protocol, valid):
    schema = plugin.settings_schema()

    assert isinstance(plugin, protocol)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(valid, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**valid, "unknown": 1}, schema)


@pytest.mark.parametrize(("importer", "settings", "location"), [
    (FolderImporter(), {"folder": "/data/in"}, Location("folder", "/data/in", {})),
    (S3Importer(), S3, Location("s3", "s3://lists/daily/", {
        "region": "eu-west-1", "key_id": "id", "secret": "{{secret:secret_key}}"})),
    (S3Importer(), {"bucket": "lists", "key_id": "id"}, Location("s3", "s3://lists/", {
        "key_id": "id", "secret": "{{secret:secret_key}}"})),
    (SftpImporter(), SFTP, Location("sftp", "sftp://sftp.example.org:22/out", {
        "user": "iit", "host_key": KEY, "password": "{{secret:password}}"})),
])  # fmt: skip
def test_an_importer_says_where_the_platform_looks(importer, settings, location):
    assert importer.look(settings, NOW) == location
    assert importer.entries(HttpResponse(200), settings) == []


def names(chosen):
    return [each.name for each in chosen]


def test_files_that_fit_are_imported_the_oldest_first():
    entries = [
        Entry("sub/B.CSV", 5, datetime(2026, 1, 2, tzinfo=UTC)),
        Entry("a.csv", 5, datetime(2026, 1, 3, tzinfo=UTC)),
        Entry("c.csv"),
        *(Entry(name, 5) for name in (".hidden.csv", "~a.csv", "d.csv.part", "d.csv.tmp", "e.xlsx", "folder/")),
        Entry("empty.csv", 0),
    ]
    chosen = FolderImporter().choose(entries, {"pattern": "*.csv", "format": "pharmacy-list"})

    assert names(chosen) == ["c.csv", "sub/B.CSV", "a.csv"]
    assert {each.format for each in chosen} == {"pharmacy-list"}


def look(importer, settings):
    shown, secrets = marked(importer, settings)
    entries = importer.entries(perform(importer.look(shown, NOW), secrets), shown)
    return entries, importer.choose(entries, shown), secrets


def test_one_file_at_a_fixed_address_is_known_by_its_version():
    with FileServer({"/out/a.csv": b"id,day\n1,2026-01-01\n"}, token="t-123456") as server:
        settings = {"url": f"{server.url}/out/a.csv", "token": "t-123456"}
        ((entry,), (chosen,), secrets) = look(HttpsImporter(), settings)

        assert (entry.size, entry.modified_at) == (20, datetime(2026, 1, 1, tzinfo=UTC))
        assert entry.etag
        assert perform(chosen.request, secrets).text.startswith("id,day")
        server.files["/out/a.csv"] += b"2,2026-01-02\n"
        assert look(HttpsImporter(), settings)[0][0].etag != entry.etag
        assert look(HttpsImporter(), {**settings, "token": "wrong"})[0] == []


@pytest.mark.parametrize("listing", ["json", "html"])
def test_the_files_of_an_index_are_chosen_by_name(listing):
    with FileServer({"/out/b.csv": b"2", "/out/a%20b.csv": b"1", "/out/c.txt": b"3"}) as server:
        settings = {"url": f"{server.url}/index.{listing}", "listing": listing, "pattern": "*.csv"}
        _, chosen, secrets = look(HttpsImporter(), settings)

        assert names(chosen) == [f"{server.url}/out/a%20b.csv", f"{server.url}/out/b.csv"]
        assert [perform(each.request, secrets).text for each in chosen] == ["1", "2"]


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/a.csv",
        "//evil.example/a.csv",
        "http://example.org/a.csv",
        "https://example.org:8443/a.csv",
        "https://[",
        "ftp://example.org/a.csv",
    ],
)
def test_an_index_cannot_send_the_credentials_elsewhere(link):
    settings = {"url": "https://example.org/index", "token": "{{secret:token}}"}
    rows = json.dumps([{"url": link}, {"url": "a.csv", "size": 3, "modified_at": "2026-01-01T00:00:00Z"}])
    page = f'<a href="{link}">x</a><a href="a.csv">y</a>'

    for listing, text in (("json", rows), ("html", page)):
        own = {**settings, "listing": listing}
        entries = HttpsImporter().entries(HttpResponse(200, text=text), own)
        assert names(entries) == ["https://example.org/a.csv"]


@given(text=st.text(max_size=200), listing=st.sampled_from(["file", "json", "html"]))
def test_garbage_names_no_file_of_another_host(text, listing):
    settings = {"url": "https://example.org/index", "listing": listing}
    for body in (text, json.dumps([{"url": text, "size": text, "modified_at": text}, text])):
        entries = HttpsImporter().entries(HttpResponse(200, text=body), settings)
        assert all(entry.name.startswith("https://example.org/") for entry in entries)
        HttpsImporter().choose(entries, settings)
        HttpsSource().documents([], [HttpResponse(200, text=body)], {"urls": [text], "index": settings["url"]})


def test_the_documents_of_a_folder_have_titles_and_a_language():
    entries = [Entry("guides/who-2021_art.pdf", 9), Entry("a.md", 3), Entry("data.csv", 3), Entry("empty.txt", 0)]
    documents = FolderSource().documents(entries, [], {"folder": "/d", "language": "en"})

    assert [(each.name, each.title, each.language) for each in documents] == [
        ("a.md", "a", "en"),
        ("guides/who-2021_art.pdf", "who 2021 art", "en"),
    ]
    assert FolderSource().look({"folder": "/d"}, NOW) == Location("folder", "/d", {})


def test_the_documents_of_a_list_and_of_its_index_are_each_fetched_once():
    settings = {"urls": ["https://a.example/x%20y.pdf", "no address"], "index": "https://a.example/i.json"}
    rows = [{"url": "z.pdf", "title": "Zed", "language": "fr"}, {"url": "x%20y.pdf"}, {"url": 3}]
    documents = HttpsSource().documents([], [HttpResponse(200, text=json.dumps(rows))], settings)

    assert [(each.name, each.title, each.language) for each in documents] == [
        ("https://a.example/x%20y.pdf", "x y", ""),
        ("https://a.example/z.pdf", "Zed", "fr"),
    ]
    assert documents[1].request == HttpRequest("GET", "https://a.example/z.pdf")
    assert HttpsSource().look(settings, NOW) == [HttpRequest("GET", "https://a.example/i.json")]
    assert HttpsSource().look({"urls": []}, NOW) == []
