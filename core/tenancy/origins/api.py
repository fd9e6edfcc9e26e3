"""The API's routes for the origins of a tenant."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from core.access import TenantScope, require
from core.idempotency import CONTROL_DATABASE
from core.identity import Principal
from core.tenancy.origins import service

router = APIRouter(prefix="/origins", tags=["settings"])

OriginsRead = Annotated[Principal, Depends(require("settings.read"))]
OriginsWrite = Annotated[Principal, Depends(require("settings.write"))]


class Origins(BaseModel):
    """The web addresses whose pages may call the tenant's API from a browser."""

    model_config = ConfigDict(extra="forbid")

    origins: list[Annotated[str, Field(max_length=300)]] = Field(
        max_length=100,
        description="Scheme, host and port of each, with HTTPS; http://localhost is allowed for trying.",
        examples=[["https://forms.example.org"]],
    )


@router.get("", operation_id="get_origins", summary="Get the web pages that may call the API")
def get_origins(_: OriginsRead, scope: TenantScope) -> Origins:
    """Return the origins. In a browser, only their pages can read the API's answers; other programs need no origin."""
    return Origins(origins=service.list_origins(scope.tenant.id))


@router.put(
    "",
    operation_id="put_origins",
    summary="Replace the web pages that may call the API",
    dependencies=[CONTROL_DATABASE],
)
def put_origins(principal: OriginsWrite, scope: TenantScope, body: Origins) -> Origins:
    """Replace the whole list. It takes effect on every process within 15 seconds."""
    changed = service.replace_origins(scope.tenant, body.origins, actor=principal.actor, request_id=scope.request_id)
    return Origins(origins=changed)
