"""The root of the installation, ``/``: names the platform, and links to the documentation and the health checks."""

from html import escape

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from core.web.pages import SEE_OTHER

router = APIRouter(include_in_schema=False)

WHAT = "Keeps people on HIV treatment in care: who is about to interrupt it, why, and what became of it."
LINKS = {
    "docs": ("/docs", "The API, to read and try"),
    "openapi": ("/openapi.json", "The API as an OpenAPI document"),
    "health": ("/health", "The state of each component"),
}


@router.get("/")
def home(request: Request) -> Response:
    """Answer programs with JSON, and browsers with a redirect to the sign-in or a page. Neither names the version."""
    name = request.app.title
    sign_in = request.app.state.site.sign_in
    if "text/html" in request.headers.get("accept", ""):
        if sign_in is not None:
            return RedirectResponse(sign_in, SEE_OTHER, headers={"Vary": "Accept"})
        return Response(_page(name), media_type="text/html; charset=utf-8", headers={"Vary": "Accept"})
    links = {key: address for key, (address, _) in LINKS.items()}
    return JSONResponse({"name": name, "description": WHAT, "links": links}, headers={"Vary": "Accept"})


def _page(name: str) -> str:
    rows = "".join(f'<li><a href="{address}">{escape(words)}</a></li>' for address, words in LINKS.values())
    title = escape(name)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title></head><body><h1>{title}</h1><p>{escape(WHAT)}</p><ul>{rows}</ul></body></html>\n"
    )
