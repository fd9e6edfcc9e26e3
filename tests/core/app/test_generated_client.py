"""A client that a generator makes of the document works against the application, without a line written by hand."""

import importlib
import json
import sys
from http import HTTPStatus
from io import BytesIO

import httpx
import pytest

PACKAGE = "iit_generated_client"

STREAMS = {"application/x-ndjson": "application/octet-stream"}
"""The generator knows no NDJSON; docs/reference/api.md names this setting of it."""

MAPPING = """
data_date: 2024-06-30
files: {t: {name: patients.csv}}
facility: {datim_id: {constant: C1}}
records: [{into: patients, file: t, patient: id, columns: {pepfar_id: id}}]
"""


@pytest.fixture(scope="module")
def generated(application, tmp_path_factory):
    """Generates the client and imports its modules by name; ``warnings`` says what the generator left out."""
    from openapi_python_client import generate
    from openapi_python_client.config import Config, ConfigFile, MetaType

    folder = tmp_path_factory.mktemp("client")
    document = folder / "openapi.json"
    document.write_text(json.dumps(application.openapi()), encoding="utf-8")
    config = Config.from_sources(
        ConfigFile(post_hooks=[], content_type_overrides=STREAMS),
        MetaType.NONE,
        document_source=document,
        file_encoding="utf-8",
        overwrite=False,
        output_path=folder / PACKAGE,
    )
    warnings = generate(config=config)
    sys.path.insert(0, str(folder))
    try:
        yield Generated(warnings)
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
            del sys.modules[name]


class Generated:
    def __init__(self, warnings):
        self.warnings = [f"{warning.header}: {warning.detail}" for warning in warnings]

    def __getattr__(self, name):
        return importlib.import_module(f"{PACKAGE}.{name}")

    def operation(self, tag, name):
        return importlib.import_module(f"{PACKAGE}.api.{tag}.{name}")


@pytest.fixture
def client(generated, api, owner):
    """The generated client with the key of ``owner``, over the connection of ``api``."""
    generated_client = generated.client.AuthenticatedClient(base_url=str(api.base_url), token=owner.api_key)
    return generated_client.set_httpx_client(api)


def test_the_generator_leaves_nothing_out_and_warns_of_nothing(generated, application):
    assert generated.warnings == []
    for methods in application.openapi()["paths"].values():
        for operation in methods.values():
            tag = operation["tags"][0].replace(" ", "_").replace("-", "_")
            assert callable(generated.operation(tag, operation["operationId"]).sync_detailed)


def test_it_uploads_a_file_and_reads_the_import(generated, client):
    file = generated.types.File(payload=BytesIO(b"id\nP-0001\n"), file_name="patients.csv", mime_type="text/csv")
    body = generated.models.BodyCreateImport(files=[file], mapping=MAPPING)
    answer = generated.operation("imports", "create_import").sync_detailed(
        client=client, body=body, idempotency_key="upload-1"
    )
    assert answer.status_code == HTTPStatus.ACCEPTED, answer.content
    assert answer.parsed.files == ["patients.csv"]
    read = generated.operation("imports", "get_import").sync(answer.parsed.id, client=client)
    assert (read.id, read.files) == (answer.parsed.id, ["patients.csv"])


def test_it_pages_a_list(generated, client, api):
    names = [f"Facility {number}" for number in range(5)]
    for number, name in enumerate(names):
        assert api.post("/v1/facilities", json={"datim_id": f"F{number}", "name": name}).status_code == 201
    list_facilities = generated.operation("facilities", "list_facilities")
    pages = [list_facilities.sync(client=client, page=page, page_size=2) for page in (1, 2, 3)]
    assert [page.total for page in pages] == [5, 5, 5]
    assert [item.name for page in pages for item in page.items] == names


def test_it_follows_the_cursors_of_a_sorted_list(generated, client, api):
    names = [f"Facility {number}" for number in range(5)]
    for number, name in enumerate(names):
        assert api.post("/v1/facilities", json={"datim_id": f"F{number}", "name": name}).status_code == 201
    list_facilities = generated.operation("facilities", "list_facilities")
    sort = generated.models.ListFacilitiesSort("-name")
    page = list_facilities.sync(client=client, page_size=2, sort=sort)
    items = list(page.items)
    while page.next_:
        after = httpx.URL(page.next_).params["after"]
        page = list_facilities.sync(client=client, page_size=2, sort=sort, after=after)
        items += page.items
    assert [item.name for item in items] == names[::-1]


def test_a_mistake_is_answered_by_a_problem(generated, client):
    answer = generated.operation("facilities", "list_facilities").sync_detailed(client=client, page=0)
    assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    assert [error.field for error in answer.parsed.errors] == ["query.page"]
