"""A feature with pages, and sessions of people in a cookie."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, UploadFile
from fastapi.responses import HTMLResponse

from core.access import TenantDb, require, signed_in
from core.access.pages import Page, UploadPageRoute
from core.errors import NotFound, Unauthenticated
from core.feature_registry import Feature, NavigationEntry
from core.identity import Principal
from core.identity.credentials import cookie

Reader = Annotated[Principal, Depends(require("audit.read"))]

pages = APIRouter()
files = APIRouter(route_class=UploadPageRoute)
public_pages = APIRouter()
api = APIRouter()


@pages.get("/sample")
def sample(reader: Reader, page: Page, db: TenantDb, title: str = "") -> HTMLResponse:
    return page.render("sample/hello.html", reader, title=title or db.tenant.slug)


@pages.post("/sample")
def post_sample(_: Reader, note: Annotated[str, Form()]) -> HTMLResponse:
    return HTMLResponse(note)


@files.post("/sample/files", max_body_size=2000)
def post_files(_: Reader, file: UploadFile) -> HTMLResponse:
    return HTMLResponse(file.filename)


@pages.post("/sample/plain")
def post_nothing(_: Reader) -> HTMLResponse:
    return HTMLResponse("done")


@pages.get("/sample/missing")
def missing(_: Reader) -> HTMLResponse:
    raise NotFound("there is no <such> person")


@pages.get("/sample/broken")
def broken(_: Reader) -> HTMLResponse:
    raise ValueError("Givenname Familyname")


@pages.get("/sample/number/{number}")
def number(_: Reader, number: int) -> HTMLResponse:
    return HTMLResponse(str(number))


@pages.get("/sample/keys")
def keys(_: Annotated[Principal, Depends(require("keys.read"))]) -> HTMLResponse:
    return HTMLResponse("keys")


@public_pages.get("/sign-in")
def sign_in(page: Page) -> HTMLResponse:
    return page.render("sample/hello.html", title="Sign in")


@public_pages.post("/sign-in")
def post_sign_in(name: Annotated[str, Form()]) -> HTMLResponse:
    return HTMLResponse(name)


@api.get("/sample-of-api")
def of_api(principal: Annotated[Principal, Depends(signed_in)], request: Request) -> str:
    return principal.actor


class Sessions:
    """Sessions of people, held in memory."""

    name = "session"
    places = frozenset({cookie("iit_session")})

    def __init__(self):
        self.known = {}

    def recognizes(self, credential):
        return credential.startswith("session-")

    def verify(self, credential):
        if credential not in self.known:
            raise Unauthenticated("the session has ended")
        return self.known[credential]

    def confirm(self, principal):
        if principal.credential_id not in self.known:
            raise Unauthenticated("the session has ended")

    def counts_as_guess(self, error):
        return False


SAMPLE = Feature(
    "sample",
    routers=(f"{__name__}:api",),
    pages=(f"{__name__}:pages", f"{__name__}:files"),
    public_pages=(f"{__name__}:public_pages",),
    sign_in="/sign-in",
    navigation=(
        NavigationEntry("Keys", "/sample/keys", order=1),
        NavigationEntry("Sample", "/sample", order=2),
    ),
    templates={"sample": f"{__name__}:page_samples/templates"},
    assets={"sample": f"{__name__}:page_samples/assets"},
)
