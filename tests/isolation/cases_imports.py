"""The routes of imports."""

from datetime import date
from typing import Any
from uuid import uuid4

from core.plugins import instances
from core.web.etag import ANY_VERSION
from tests.isolation.routes import Call, World, case

MAPPING = """
data_date: 2024-06-30
files: {t: {name: t.csv}}
facility: {datim_id: {constant: C1}}
records: [{into: patients, file: t, patient: id, columns: {pepfar_id: id}}]
"""


def upload() -> dict[str, Any]:
    """A file whose content nobody has sent before."""
    return {"files": {"files": ("t.csv", f"id\n{uuid4().hex}\n".encode())}, "data": {"mapping": MAPPING}}


def imported(world: World) -> str:
    import_id: str = world.json("POST", "/v1/imports", **upload())["id"]
    return import_id


@case("POST", "/v1/imports", kind="own")
def create_import(world: World) -> Call:
    return Call(**upload(), state=lambda: world.json("GET", "/v1/imports")["total"])


@case("GET", "/v1/imports", kind="collection")
def list_imports(world: World) -> Call:
    return Call(marks=[imported(world)])


@case("GET", "/v1/imports/formats", kind="catalogue")
def list_import_formats(_: World) -> Call:
    return Call()


@case("GET", "/v1/imports/held-facilities", kind="collection")
def list_held_facilities(world: World) -> Call:
    from tenants.imports.models import Import

    code = f"H{uuid4().hex[:10]}"
    with world.session() as session:
        session.add(
            Import(
                state="done", format="csv", source="csv:t", mapping={}, content_hash="", requested_by="test:1",
                held_facilities=[{"code": code, "name": "Clinic", "like": "C1"}],
            )
        )  # fmt: skip
    return Call(marks=[code])


@case("POST", "/v1/imports/held-facilities", kind="own")
def confirm_facility(world: World) -> Call:
    body = {"code": f"H{uuid4().hex[:10]}", "known": None}
    return Call(json=body, state=lambda: world.json("GET", "/v1/settings/facilities")["value"])


@case("GET", "/v1/imports/{import_id}", kind="item")
def get_import(world: World) -> Call:
    return Call(path={"import_id": imported(world)})


@case("DELETE", "/v1/imports/{import_id}", kind="item")
def cancel_import(world: World) -> Call:
    return Call(path={"import_id": imported(world)})


@case("POST", "/v1/imports/{import_id}/undo", kind="item")
def undo_import(world: World) -> Call:
    from tenants.imports.models import Import
    from tenants.records import runs

    with world.session() as session:
        done = Import(
            state="done", format="csv", source="csv:t", mapping={}, data_date=date(2024, 6, 30), content_hash="",
            requested_by="test:1",
        )  # fmt: skip
        session.add(done)
        session.flush()
        runs.register(session, done.uuid, source=done.source, data_date=date(2024, 6, 30))
        return Call(path={"import_id": str(done.uuid)})


@case("GET", "/v1/imports/{import_id}/rejections.csv", kind="item")
def download_rejections(world: World) -> Call:
    return Call(path={"import_id": imported(world)})


SOURCES = "/v1/import-sources"
SOURCE = SOURCES + "/{source_id}"


def source(world: World) -> str:
    """A new source; a tenant has at most 100 instances, so the others go first."""
    with world.session() as session:
        for row in instances.list_instances(session, "importer"):
            instances.remove_instance(session, row.id, ANY_VERSION, source="cli")
        draft = instances.InstanceIn(f"n{uuid4().hex[:10]}", {"folder": "/nowhere"})
        return str(instances.add_instance(session, "importer", "folder", draft, source="cli").id)


@case("GET", SOURCES, kind="collection")
def list_import_sources(world: World) -> Call:
    return Call(marks=[source(world)])


@case("GET", SOURCE, kind="item")
def get_import_source(world: World) -> Call:
    return Call(path={"source_id": source(world)})


@case("PUT", SOURCE, kind="item")
def put_import_source(world: World) -> Call:
    return Call(path={"source_id": source(world)}, json={"cron": "5 1 * * *"}, headers={"If-Match": "*"})


@case("POST", SOURCE + "/fetch", kind="item")
def fetch_import_source(world: World) -> Call:
    return Call(path={"source_id": source(world)}, json={"again": True})


@case("GET", SOURCE + "/files", kind="item")
def list_fetched_files(world: World) -> Call:
    return Call(path={"source_id": source(world)})
