"""The API's description for people, at /docs: Swagger UI from its package.

Nothing is fetched from elsewhere, and no script is inline.
"""

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

import orjson
from fastapi import APIRouter, FastAPI, Request, Response

from core.app.openapi import as_openapi_30
from core.errors import NotFound

router = APIRouter(prefix="/docs", include_in_schema=False)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""Own scripts only. Styles may be inline: Swagger UI writes style attributes."""

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
  url: "/docs/openapi.json",
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
    """The page."""
    return Response(PAGE, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": POLICY})


@router.get("/start.js")
def start() -> Response:
    """The script that starts the page, a file so that no script is inline."""
    return Response(START, media_type="text/javascript; charset=utf-8")


@router.get("/openapi.json")
def description(request: Request) -> Response:
    """The description in the version that the packaged Swagger UI reads."""
    app: FastAPI = request.app
    return Response(orjson.dumps(as_openapi_30(app.openapi())), media_type="application/json")


@router.get("/{name}")
def asset(name: str) -> Response:
    """A file of Swagger UI, as its package has it.

    Raises:
        NotFound: it is not one of those that the page uses.
    """
    if name not in ASSETS:
        detail = "the page has no such file"
        raise NotFound(detail)
    return Response(_read(name), media_type=ASSETS[name], headers={"Cache-Control": "public, max-age=86400"})


@cache
def _read(name: str) -> bytes:
    return _folder().joinpath(name).read_bytes()


@cache
def _folder() -> Traversable:
    """The folder of the packaged Swagger UI, whose name holds its version."""
    vendor = files("swagger_ui_bundle").joinpath("vendor")
    return max((folder for folder in vendor.iterdir() if folder.is_dir()), key=lambda folder: folder.name)
