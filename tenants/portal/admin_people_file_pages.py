"""Pages that add people from a file: what is wrong by row before anybody is added, then a link for each new person."""

from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, File, Form, UploadFile
from fastapi.responses import HTMLResponse

from core import mail
from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.errors import AppError, Conflict, Forbidden, Invalid
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.identity.people import administration
from core.identity.people.people_file import LONGEST, MOST_ROWS, NEW, PRESENT, WRONG, PersonRow, check_file, decoded
from core.web.own_address import public_origin
from core.web.problem_texts import shown_sentence
from tenants.portal import admin_words as words

router = APIRouter()

Writer = Annotated[Principal, Depends(require("people.write"))]


@router.get("/admin/people/file")
def show_file(page: Page, _: Writer, scope: TenantScope) -> HTMLResponse:
    """Show the form for a file of people."""
    return _file_page(page, scope)


@router.post("/admin/people/file", dependencies=[CONTROL_DATABASE])
def post_file(
    page: Page,
    _: Writer,
    scope: TenantScope,
    file: Annotated[UploadFile | None, File()] = None,
    content: Annotated[str, Form(max_length=LONGEST)] = "",
) -> HTMLResponse:
    """Check a file, and show what is wrong or who would be added; with ``content``, a checked file, add them."""
    text = content if file is None else decoded(file.file.read(4 * LONGEST))
    try:
        rows = check_file(scope.tenant, text, lambda grant: administration.check_grant(scope, grant))
        if file is not None or any(row.state == WRONG for row in rows):
            return _file_page(page, scope, rows=rows, content=text)
        origin = public_origin(page.request)
        links = administration.add_people(scope, rows, source="page")
    except (Invalid, Conflict, Forbidden) as error:
        return _file_page(page, scope, error=error)
    return page.render(
        "portal/admin/people_added.html",
        scope.principal,
        partner=scope.tenant.name,
        current="/admin",
        rows=[(row, f"{origin}{links[row.email].path}") for row in rows if row.email in links],
        expires_at=max((link.expires_at for link in links.values()), default=None),
        mailed=mail.is_configured(),
        zone=ZoneInfo(scope.tenant.time_zone),
    )


def _file_page(
    page: PageContext,
    scope: Scope,
    *,
    rows: list[PersonRow] | None = None,
    content: str = "",
    error: AppError | None = None,
) -> HTMLResponse:
    wrong = [row for row in rows or () if row.state == WRONG]
    rejected = error is not None or bool(wrong)
    problem = ""
    if error is not None:
        parts = (error.detail, *(one.problem for one in error.errors[:1]), error.remedy)
        problem = " ".join(shown_sentence(part) for part in parts)
    return page.render(
        "portal/admin/people_file.html",
        scope.principal,
        status=Invalid.status if rejected else 200,
        partner=scope.tenant.name,
        current="/admin",
        problem=problem,
        checked=rows is not None,
        wrong=wrong,
        new=[row for row in rows or () if row.state == NEW],
        present=[row for row in rows or () if row.state == PRESENT],
        content=content,
        most=MOST_ROWS,
        words=words,
    )
