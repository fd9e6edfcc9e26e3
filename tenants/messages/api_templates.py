"""Routes of the texts of messages."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from core.access import TenantDb, require
from core.errors import Conflict, NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.web.location import set_location
from core.web.paging import Page, PageRequest, long_pages
from tenants.messages import templates
from tenants.messages.schemas import TemplateOut, TemplatePost, TemplatePreview, TemplateText

router = APIRouter(prefix="/message-templates", tags=["messages"])

Reader = Annotated[Principal, Depends(require("templates.read", confined=True, by_patient=True))]
Writer = Annotated[Principal, Depends(require("templates.write"))]
Ordered = Annotated[PageRequest, Depends(long_pages({"created_at": datetime}, str(templates.NEWEST_FIRST)))]


@router.get("", operation_id="list_message_templates", summary="List the texts of messages, newest first")
def list_message_templates(
    _: Reader,
    db: TenantDb,
    paging: Ordered,
    *,
    retired: Annotated[bool, Query(description="Also earlier versions.")] = False,
) -> Page[TemplateOut]:
    """Return one page of the active versions, with `retired` also of all earlier ones."""
    part = templates.read_versions(db, paging, retired=retired)
    return Page.of([templates.shown(db, row) for row in part.rows], paging, part.total, part.last)


@router.post("", operation_id="save_message_template", status_code=201, summary="Add a new version of a text")
def save_message_template(_: Writer, db: TenantDb, body: TemplatePost, response: Response) -> TemplateOut:
    """Save a text. It replaces the version before it. A text that is not covert, or too long, is rejected."""
    row = templates.save(db, body)
    set_location(response, f"/v1/message-templates/{row.uuid}")
    return templates.shown(db, row)


@router.post("/preview", operation_id="preview_message_template", summary="Check how a text looks and what it costs")
def preview_message_template(_: Reader, db: TenantDb, body: TemplateText) -> TemplatePreview:
    """Return the text with example values, its parts, and why it cannot be saved. Nothing is stored."""
    return templates.preview(db, body.body)


@router.get(
    "/{template_id}",
    operation_id="get_message_template",
    summary="Get a version of a text",
    responses=responses(NotFound),
)
def get_message_template(_: Reader, db: TenantDb, template_id: UUID) -> TemplateOut:
    """Return a version, active or retired."""
    return templates.shown(db, templates.get(db, template_id))


@router.post(
    "/{template_id}/retire",
    operation_id="retire_message_template",
    summary="Send a text no longer",
    responses=responses(NotFound, Conflict),
)
def retire_message_template(_: Writer, db: TenantDb, template_id: UUID) -> TemplateOut:
    """Retire the active version. Messages that need it are cancelled when they are due."""
    return templates.shown(db, templates.retire(db, template_id))
