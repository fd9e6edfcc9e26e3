"""The routes of documents and their sources."""

from typing import Any
from uuid import uuid4

from core.plugins import instances
from core.web.etag import ANY_VERSION
from tests.isolation.routes import Call, World, case

DOCUMENTS = "/v1/knowledge/documents"
DOCUMENT = DOCUMENTS + "/{document_id}"
SOURCES = "/v1/knowledge/sources"


def upload() -> dict[str, Any]:
    """A document that nobody has sent before."""
    name = f"g{uuid4().hex[:10]}.md"
    return {"files": {"file": (name, f"# Guide\n\nSay {uuid4().hex}.\n".encode())}}


def uploaded(world: World) -> str:
    document_id: str = world.json("POST", DOCUMENTS, **upload())["id"]
    return document_id


def source(world: World) -> str:
    """A new source; a tenant has at most 100 instances, so the others go first."""
    with world.session() as session:
        for row in instances.list_instances(session, "rag-source"):
            instances.remove_instance(session, row.id, ANY_VERSION, source="cli")
        draft = instances.InstanceIn(f"n{uuid4().hex[:10]}", {"folder": "/nowhere"})
        return str(instances.add_instance(session, "rag-source", "folder", draft, source="cli").id)


@case("POST", DOCUMENTS, kind="own")
def create_document(world: World) -> Call:
    return Call(**upload(), state=lambda: world.json("GET", DOCUMENTS)["total"])


@case("GET", DOCUMENTS, kind="collection")
def list_documents(world: World) -> Call:
    return Call(marks=[uploaded(world)])


@case("GET", DOCUMENT, kind="item")
def get_document(world: World) -> Call:
    return Call(path={"document_id": uploaded(world)})


@case("GET", DOCUMENT + "/passages", kind="item")
def list_passages(world: World) -> Call:
    return Call(path={"document_id": uploaded(world)})


@case("GET", DOCUMENT + "/file", kind="item")
def download_document(world: World) -> Call:
    return Call(path={"document_id": uploaded(world)})


@case("DELETE", DOCUMENT, kind="item")
def delete_document(world: World) -> Call:
    return Call(path={"document_id": uploaded(world)})


@case("GET", SOURCES, kind="collection")
def list_knowledge_sources(world: World) -> Call:
    return Call(marks=[source(world)])


@case("POST", SOURCES + "/{source_id}/fetch", kind="item")
def fetch_knowledge_source(world: World) -> Call:
    return Call(path={"source_id": source(world)})
