"""An application with the kernel's own routes and a few toy ones that show what routes of rooms may do."""

from typing import Annotated
from uuid import UUID

import pytest
from fastapi import APIRouter, Depends, FastAPI, Response, UploadFile
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict, Field

from core import audit
from core.access import TenantDb, TenantScope, require
from core.errors import Conflict
from core.feature import feature
from core.identity import Principal
from core.web.etag import IfMatch, set_etag
from core.web.ndjson import ndjson
from core.web.paging import Page, Paging

Reader = Annotated[Principal, Depends(require("audit.read"))]
VERSION = UUID("0197c1f0-0000-7000-8000-000000000001")

toy = APIRouter(prefix="/v1/toy")


class Nested(BaseModel):
    model_config = ConfigDict(extra="forbid")

    reason: str = ""


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=2)
    birthdate: str = ""
    notes: list[Nested] | None = None


class Out(BaseModel):
    value: int


@toy.get("/plain")
def plain(principal: Reader) -> dict[str, str]:
    return {"actor": principal.actor}


@toy.get("/one")
def one(_: Reader, db: TenantDb) -> dict[str, int]:
    row = db.cursor().execute("SELECT 1").fetchone()
    return {"value": row[0] if row else 0}


@toy.post("/write")
def write(_: Reader, db: TenantDb) -> dict[str, str]:
    audit.record(db, "api:audit:read", "toy", VERSION)
    return {"tenant": db.tenant.slug}


@toy.post("/write-then-fail")
def write_then_fail(_: Reader, db: TenantDb) -> None:
    audit.record(db, "api:audit:read", "toy", VERSION)
    raise Conflict("after the write")


@toy.post("/write-then-break")
def write_then_break(_: Reader, db: TenantDb) -> None:
    audit.record(db, "api:audit:read", "toy", VERSION)
    raise ValueError("Givenname Familyname, 08031234567")


@toy.post("/commit-fails")
def commit_fails(_: Reader, db: TenantDb) -> dict[str, str]:
    audit.record(db, "api:audit:read", "toy", VERSION)
    cursor = db.cursor()
    cursor.execute("CREATE TEMP TABLE twins (a int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP")
    cursor.execute("INSERT INTO twins VALUES (1), (1)")
    return {"said": "done"}


@toy.post("/bad-answer")
def bad_answer(_: Reader, db: TenantDb) -> Out:
    audit.record(db, "api:audit:read", "toy", VERSION)
    return {"value": "Givenname Familyname"}  # type: ignore[return-value]  # the point


@toy.post("/body")
def body(_: Reader, content: Body) -> Body:
    return content


@toy.post("/data-error")
def data_error(_: Reader, db: TenantDb, text: str) -> None:
    db.cursor().execute("SELECT %s::date", (text,))


@toy.put("/versioned")
def versioned(_: Reader, if_match: IfMatch, response: Response) -> None:
    if_match.check(VERSION)
    set_etag(response, VERSION)


@toy.get("/versioned")
def read_versioned(_: Reader, response: Response, personal: int = 1, text: str = "") -> dict[str, str]:
    set_etag(response, VERSION, personal=bool(personal))
    return {"text": text}


@toy.get("/pages")
def pages(_: Reader, paging: Paging) -> Page[int]:
    return Page.of(list(range(100))[paging.offset :][: paging.limit], paging, 100)


@toy.get("/stream")
def stream(_: Reader, scope: TenantScope, fail_at: int = -1) -> Response:
    def step(session: TenantDb, cursor: int | None) -> tuple[list[dict[str, int]], int | None]:
        at = cursor or 0
        audit.record(session, "api:audit:read", "toy", VERSION)
        if at == fail_at:
            raise ValueError("Givenname Familyname")
        return [{"n": at}, {"n": at + 1}], at + 2 if at < 4 else None

    return ndjson(scope, step)


@toy.post("/upload", max_body_size=100_000)
def upload(_: Reader, file: UploadFile) -> dict[str, int]:
    return {"size": len(file.file.read())}


def make_toy_app(*routers: APIRouter) -> FastAPI:
    """An application with the kernel's routes, the toys, and further routers."""
    from core.app.factory import create_app
    from core.app.routing import lay_flat

    app = create_app([feature])
    for router in (toy, *routers):
        lay_flat(app, router, "")
    return app


@pytest.fixture(scope="session")
def toy_app(database: object) -> FastAPI:
    return make_toy_app()


@pytest.fixture
def toy_api(toy_app: FastAPI, client_for, owner) -> TestClient:
    return client_for(toy_app, owner.api_key)


@pytest.fixture
def written(owner, open_session):
    """How many audit rows of toys the tenant of ``toy_api`` has."""

    def count() -> int:
        with open_session(owner.ref) as session:
            row = session.cursor().execute("SELECT count(*) FROM audit_events WHERE subject_type = 'toy'").fetchone()
            return row[0]

    return count
