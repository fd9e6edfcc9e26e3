"""Routes of the facilities that imports hold back."""

from typing import Annotated

from fastapi import APIRouter, Depends

from core.access import TenantDb, require
from core.errors.family import Conflict, NotFound
from core.errors.problem import responses
from core.identity import Principal
from tenants.imports.confirming import confirm, list_held
from tenants.imports.schemas import ConfirmationOut, ConfirmationPost, WaitingFacility

router = APIRouter(tags=["imports"])

ImportsRead = Annotated[Principal, Depends(require("imports.read"))]
ImportsWrite = Annotated[Principal, Depends(require("imports.write"))]


@router.get(
    "/imports/held-facilities",
    operation_id="list_held_facilities",
    summary="List facilities that imports hold back",
)
def list_held_facilities(_: ImportsRead, db: TenantDb) -> list[WaitingFacility]:
    """Return the facilities that are like a known one and that nobody has confirmed, by code, at most 200."""
    return [WaitingFacility.model_validate(facility) for facility in list_held(db)]


@router.post(
    "/imports/held-facilities",
    operation_id="confirm_facility",
    summary="Confirm a facility that imports hold back",
    responses=responses(NotFound, Conflict),
)
def confirm_facility(_: ImportsWrite, db: TenantDb, body: ConfirmationPost) -> ConfirmationOut:
    """Confirm that a code is a new facility, or another spelling of a known one. Then import the files again."""
    confirm(db, body.code, body.known)
    return ConfirmationOut(code=body.code, known=body.known)
