"""Every route says in its signature what it needs, and nobody without it gets in."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI

from core.access import TenantDb, require
from core.access.require import api_routes, is_public, permissions_of, reject_open_routes
from core.identity import Principal


def test_a_permission_that_nobody_declares_is_rejected_when_the_module_is_imported():
    with pytest.raises(LookupError, match=r"patients\.fly"):
        require("patients.fly")


def test_every_route_but_that_of_oneself_and_the_public_ones_declares_a_permission(application):
    open_routes = [route for route in api_routes(application) if not permissions_of(route)]
    assert [route.path for route in open_routes if not is_public(route)] == ["/v1/me", "/v1/me"]
    hook = "/v1/plugin-hooks/{tenant_id}/{instance_id}/{token}"
    assert [route.path for route in open_routes if is_public(route)] == [
        "/v1/hooks/stripe",
        "/v1/sso/back-channel/{tenant_id}",
        hook,
        hook,
    ]


def test_an_application_with_a_route_that_declares_none_is_rejected():
    app, router = FastAPI(), APIRouter(prefix="/v1")

    @router.get("/open")
    def open_route(db: TenantDb) -> None: ...

    @router.get("/closed")
    def closed_route(_: Annotated[Principal, Depends(require("audit.read"))]) -> None: ...

    app.include_router(router)
    with pytest.raises(LookupError, match="/v1/open") as rejection:
        reject_open_routes(app)
    assert "closed" not in str(rejection.value)


def test_without_a_credential_the_answer_is_401(toy_app, client_for):
    answer = client_for(toy_app, None).get("/v1/toy/plain")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("key", ["nonsense", "iit_0123456789ab_" + "0" * 64, "iit_0123456789ab", "é"])
def test_with_a_wrong_key_the_answer_is_401(toy_app, client_for, key):
    answer = client_for(toy_app, None).get("/v1/toy/plain", headers={"X-API-Key": key.encode()})
    assert answer.status_code == 401


def test_both_headers_carry_a_key(toy_app, client_for, owner):
    client = client_for(toy_app, None)
    for headers in ({"X-API-Key": owner.api_key}, {"Authorization": f"bearer {owner.api_key}"}):
        assert client.get("/v1/toy/plain", headers=headers).status_code == 200


def test_a_key_without_the_permission_gets_403(toy_app, client_for, owner):
    from core.identity.keys import create_key

    limited = create_key(owner.ref, name="limited", permissions=())
    answer = client_for(toy_app, limited.plaintext).get("/v1/toy/plain")
    assert answer.status_code == 403
    assert "audit.read" in answer.json()["detail"]


def test_a_suspended_tenant_gets_403_until_it_is_resumed(toy_api, owner):
    from core.tenancy import resume_tenant, suspend_tenant

    suspend_tenant(owner.ref.slug)
    assert toy_api.get("/v1/toy/plain").status_code == 403
    resume_tenant(owner.ref.slug)
    assert toy_api.get("/v1/toy/plain").status_code == 200
