"""The OpenAPI document, and the page at /docs: Swagger UI 5 of ``fastapi-swagger``, which reads OpenAPI 3.1.

The browser fetches everything from this server, and no script is inline.
"""

import json
from functools import cache
from importlib.resources import files
from threading import Lock

from fastapi import APIRouter, Request, Response

from core.errors import NotFound

router = APIRouter(prefix="/docs", include_in_schema=False)
document_router = APIRouter(include_in_schema=False)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Content security policy: only scripts of this server. Styles may be inline, because Swagger UI writes style
attributes.
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>API of the IIT platform</title>
    <link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
    <link rel="stylesheet" href="/docs/swagger-ui.css">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
"""

START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""

ASSETS = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}


@router.get("")
def page() -> Response:
    """Return the page."""
    return Response(PAGE, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY})


@router.get("/start.js")
def start() -> Response:
    """Return the script that starts the page; it is a file, so that no script is inline."""
    return Response(START, media_type="text/javascript; charset=utf-8")


@router.get("/{name}")
def asset(name: str) -> Response:
    """Return a file of Swagger UI from its package.

    Raises:
        NotFound: the page does not use this file.
    """
    if name not in ASSETS:
        detail = "the page has no such file"
        raise NotFound(detail)
    return Response(_read(name), media_type=ASSETS[name], headers={"Cache-Control": "public, max-age=86400"})


@document_router.get("/openapi.json")
def openapi_document(request: Request) -> Response:
    """Return the API as an OpenAPI document.

    Not in the event loop: the first request of a process makes the document, which takes seconds of processor.
    """
    return Response(_document(request), media_type="application/json")


_making = Lock()


def _document(request: Request) -> bytes:
    with _making:
        written: bytes | None = getattr(request.app.state, "openapi_bytes", None)
        if written is None:
            written = json.dumps(request.app.openapi(), ensure_ascii=False, separators=(",", ":")).encode()
            request.app.state.openapi_bytes = written
        return written


@cache
def _read(name: str) -> bytes:
    return files("fastapi_swagger").joinpath("resources", name).read_bytes()
