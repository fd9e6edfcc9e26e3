"""Imports."""

from typing import Any
from uuid import uuid4

from tests.isolation.routes import Call, World, case

MAPPING = """
source: csv:test
data_date: 2024-06-30
files:
  patients: {name: patients.csv}
records:
  - into: patients
    file: patients
    patient: id
    facility: {datim_id: clinic, name: clinic}
    columns: {pepfar_id: id, sex: sex}
"""


def _upload() -> dict[str, Any]:
    text = f"id,clinic,sex\n{uuid4().hex},C1,F\n"
    return {"files": {"files": ("patients.csv", text.encode(), "text/csv")}, "data": {"mapping": MAPPING}}


def _import(world: World) -> str:
    return str(world.json("POST", "/v1/imports", **_upload())["import_uuid"])


@case("POST", "/v1/imports", kind="own")
def create_import(world: World) -> Call:
    return Call(**_upload(), state=lambda: world.json("GET", "/v1/imports")["total"])


@case("GET", "/v1/imports", kind="collection")
def list_imports(world: World) -> Call:
    return Call(marks=[_import(world)])


@case("GET", "/v1/imports/formats", kind="catalogue")
def list_import_formats(world: World) -> Call:
    return Call()


@case("GET", "/v1/imports/{import_uuid}", kind="item")
def get_import(world: World) -> Call:
    return Call(path={"import_uuid": _import(world)})


@case("DELETE", "/v1/imports/{import_uuid}", kind="item")
def cancel_import(world: World) -> Call:
    return Call(path={"import_uuid": _import(world)})


@case("GET", "/v1/imports/{import_uuid}/rejections.csv", kind="item")
def download_rejections(world: World) -> Call:
    return Call(path={"import_uuid": _import(world)})
