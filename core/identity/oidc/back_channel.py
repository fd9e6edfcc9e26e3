"""The address to which tenants' providers send logout tokens: a signature of the provider is the credential."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Response

from core.errors import BadRequest
from core.errors.problem import responses
from core.identity.oidc.logout import end_by_provider
from core.identity.oidc.tokens import LARGEST
from core.web.public_routes import PublicRate, any_query

router = APIRouter(prefix="/sso", tags=["sso"])

RATE = PublicRate(burst=200, per_minute=600)
"""A provider sends one token for each person who signs out, all from one address."""


@router.post(
    "/back-channel/{tenant_id}",
    operation_id="end_sessions_by_provider",
    summary="End sessions that the provider has ended",
    dependencies=[Depends(RATE), Depends(any_query)],
    responses=responses(BadRequest),
)
def post_back_channel(
    tenant_id: UUID,
    logout_token: Annotated[
        str,
        Form(
            max_length=LARGEST,
            description="Signed by the tenant's provider (OpenID Connect Back-Channel Logout 1.0).",
            examples=["eyJhbGciOiJSUzI1NiIsInR5cCI6ImxvZ291dCtqd3QifQ.e30.c2ln"],
        ),
    ],
    response: Response,
) -> None:
    """End the sessions that a logout token names. No credential is needed besides the token."""
    response.headers["Cache-Control"] = "no-store"
    end_by_provider(tenant_id, logout_token)
