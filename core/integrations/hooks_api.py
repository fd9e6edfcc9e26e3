"""The addresses to which vendors send requests: their secret part, and a signature where the vendor signs."""

from typing import Annotated
from uuid import UUID

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Path, Request, Response

from core.errors import Forbidden, NotFound
from core.errors.problem import responses
from core.integrations.incoming import RawRequest, receive
from core.plugins.errors import PluginFailed
from core.web.own_address import origin_for_caller
from core.web.public_routes import PublicRate, any_query

router = APIRouter(prefix="/plugin-hooks", tags=["plugins"])

RATE = PublicRate(burst=300, per_minute=1200)
"""A gateway sends the reports of all its messages from one address."""
_ANSWERS = responses(NotFound, Forbidden, PluginFailed)
_PATH = "/{tenant_id}/{instance_id}/{token}"
Token = Annotated[str, Path(min_length=20, max_length=100, description="The secret part of the address.")]


@router.post(
    _PATH,
    operation_id="receive_plugin_request",
    summary="Receive a request of a vendor",
    dependencies=[Depends(RATE), Depends(any_query)],
    responses=_ANSWERS,
)
async def post_hook(tenant_id: UUID, instance_id: UUID, token: Token, request: Request) -> Response:
    """Take what a channel or a gateway reports: presses of buttons, delivery reports, messages of people.

    The address is the credential, and the signature where the vendor signs. The body is as the vendor sends it.
    """
    return await _receive(tenant_id, instance_id, token, request)


@router.get(
    _PATH,
    operation_id="receive_plugin_query",
    summary="Receive a request of a vendor that sends no body",
    dependencies=[Depends(RATE), Depends(any_query)],
    responses=_ANSWERS,
)
async def get_hook(tenant_id: UUID, instance_id: UUID, token: Token, request: Request) -> Response:
    """Take what a gateway reports in the query of the address, as Kannel does."""
    return await _receive(tenant_id, instance_id, token, request)


async def _receive(tenant_id: UUID, instance_id: UUID, token: str, request: Request) -> Response:
    body = await request.body()
    query = request.scope.get("query_string", b"").decode("latin-1")
    url = origin_for_caller(request) + request.url.path + (f"?{query}" if query else "")
    headers = {name.lower(): value for name, value in request.headers.items() if name.lower() != "cookie"}
    await run_sync(receive, tenant_id, instance_id, token, RawRequest(url, headers, body))
    return Response(status_code=200, headers={"Cache-Control": "no-store"})
