"""Every route of the OpenAPI document, called as another tenant, as nobody, with a wrong key, by a suspended tenant."""

from typing import Annotated
from uuid import UUID, uuid4

import pytest
from fastapi import APIRouter, Depends, FastAPI

from core.access import require
from core.app.callers import GUESSES
from core.database import platform_session
from core.errors import NotFound
from core.feature import feature
from core.identity import Principal
from core.identity.people import members
from tests.isolation.routes import Call, Case, World, all_cases, check
from tests.keyed import KeyedClient

CASES = all_cases()
PUBLIC = {("GET", path) for path in ("/health", "/health/live", "/health/ready", "/health/startup")}
CALLBACKS = {
    ("POST", "/v1/sso/back-channel/{tenant_id}"),
    ("POST", "/v1/plugin-hooks/{tenant_id}/{instance_id}/{token}"),
    ("GET", "/v1/plugin-hooks/{tenant_id}/{instance_id}/{token}"),
    ("POST", "/v1/hooks/stripe"),
}
"""Others call them, and what they sign is the credential: tests/core/identity/oidc/test_logout.py,
tests/core/integrations/test_incoming.py, tests/billing/payments/test_routes.py."""
OF_PEOPLE = {("PUT", "/v1/me")}
"""Only people call them, with a session: tests/core/identity/people/test_account_rows.py."""
OF_ONESELF = {("GET", "/v1/me")}
OF_OPERATORS = {
    ("GET", "/v1/operators/health"),
    ("GET", "/v1/operators/events/stream"),
    ("GET", "/v1/operators/ai-use"),
    ("GET", "/v1/operators/usage"),
    ("GET", "/v1/operators/connections"),
    ("PUT", "/v1/operators/connections"),
    ("GET", "/v1/operators/live"),
    ("GET", "/v1/operators/flags"),
    ("GET", "/v1/operators/flags/{flag}"),
    ("PUT", "/v1/operators/flags/{flag}"),
    ("GET", "/v1/operators/flags/{flag}/history"),
    ("GET", "/v1/operators/errors"),
    ("GET", "/v1/operators/errors/{error_id}"),
    ("PUT", "/v1/operators/errors/{error_id}"),
    *(("GET", f"/v1/operators/billing/invoices{name}") for name in ("", "/{invoice_id}", "/{invoice_id}/pdf")),
    *(
        ("POST", f"/v1/operators/billing/invoices/{{invoice_id}}/{name}")
        for name in ("payments", "credit-notes", "void")
    ),
    *((method, "/v1/operators/billing/tenants/{slug}/credits") for method in ("GET", "POST")),
    ("POST", "/v1/operators/billing/tenants/{slug}/credits/{credit_id}/revoke"),
    *(("GET", f"/v1/operators/billing/plans{name}") for name in ("", "/{code}")),
    *(("POST", f"/v1/operators/billing/plans/{{code}}/{name}") for name in ("versions", "preview")),
    *((method, "/v1/operators/billing/tenants/{slug}/account") for method in ("GET", "PATCH")),
    ("GET", "/v1/operators/billing/tenants/{slug}/subscriptions"),
    *(("POST", f"/v1/operators/billing/tenants/{{slug}}/subscriptions{name}") for name in ("", "/changes", "/end")),
    *(("GET", f"/v1/operators/billing/payments{name}") for name in ("", "/calls", "/differences", "/events")),
    ("PUT", "/v1/operators/billing/payments/calls/{call_id}/retry"),
    ("PUT", "/v1/operators/billing/payments/differences/{difference_id}/close"),
    ("PUT", "/v1/operators/billing/payments/events/{event_id}/retry"),
    ("GET", "/v1/operators/jobs"),
    *((method, f"/v1/operators/job-{name}") for name in ("pauses", "limits") for method in ("GET", "PUT")),
    *(("POST", f"/v1/operators/job-{name}/remove") for name in ("pauses", "limits")),
    ("GET", "/v1/operators/jobs/{job_id}"),
    ("POST", "/v1/operators/jobs/retry"),
    ("POST", "/v1/operators/jobs/{job_id}/retry"),
    ("POST", "/v1/operators/jobs/{job_id}/discard"),
    *(("GET", f"/v1/operators/billing/{name}") for name in ("costs", "costs/focus", "cost-tables", "cost-notices")),
    ("PUT", "/v1/operators/billing/cost-tables/{effective_on}"),
    ("PUT", "/v1/operators/billing/cost-notices/{notice_id}/seen"),
    *((method, "/v1/operators/billing/budgets") for method in ("GET", "PUT")),
    ("POST", "/v1/operators/billing/budgets/remove"),
}
"""Operators call them, who have no tenant: tests/billing, tests/core/connections/test_connections.py,
tests/core/jobs/test_decisions.py, tests/core/jobs/test_rules_api.py, tests/core/error_groups/test_error_groups.py."""
"""Operators call them, who have no tenant: tests/core/connections/test_connections.py,
tests/core/jobs/test_decisions.py, tests/core/jobs/test_rules_api.py, tests/core/error_groups/test_error_groups.py,
tests/billing/payments/test_routes.py."""
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture(scope="module")
def operations(application):
    return {
        (method.upper(), path)
        for path, methods in application.openapi()["paths"].items()
        for method in methods
        if method.upper() in METHODS
    }


def test_every_route_has_its_case_and_every_case_its_route(operations):
    covered = {(case.method, case.path) for case in CASES}
    assert sorted(operations - covered - PUBLIC - CALLBACKS - OF_PEOPLE - OF_OPERATORS) == []
    assert sorted(covered - operations) == []


@pytest.mark.parametrize("case", CASES, ids=str)
def test_another_tenant_gets_nothing(case, world):
    check(case, world)


def test_a_recipient_of_another_tenant_is_as_unknown_as_nobody(world):
    person = world.json("POST", "/v1/people", json={"email": "r@example.org", "name": "Reader", "roles": ["viewer"]})
    with platform_session() as session:
        members.accept(session, UUID(person["id"]), world.tenant.id)
    body = {"kind": "mer", "format": "csv", "every": "month", "on_day": 5, "at_hour": 6}

    def answer(client, recipient):
        response = client.post("/v1/reports/schedules", json={**body, "recipient_ids": [recipient]})
        return response.status_code, {name: value for name, value in response.json().items() if name != "instance"}

    assert answer(world.owner, person["id"])[0] == 201
    theirs, nobodys = answer(world.stranger, person["id"]), answer(world.stranger, str(uuid4()))
    assert theirs == nobodys
    assert theirs[0] == 422
    assert "Reader" not in str(theirs)


def statuses(operations, client):
    """Status of every route, called with made-up ids and no body."""
    return {
        client.request(
            method, path.replace("{", "").replace("}", "") if "{" not in path else _made_up(path)
        ).status_code
        for method, path in sorted(operations - PUBLIC - CALLBACKS)
    }


def _made_up(path):
    return "/".join(str(uuid4()) if part.startswith("{") else part for part in path.split("/"))


def test_nobody_gets_401_everywhere(application, operations, client_for):
    assert statuses(operations, client_for(application, None)) == {401}


def test_a_wrong_key_gets_401_everywhere(application, operations):
    headers = {"X-API-Key": f"iit_{'0' * 12}_{'0' * 64}"}
    # Each part comes from an address of its own: one that sends more wrong keys than GUESSES gets 429.
    routes = sorted(operations)
    for number, start in enumerate(range(0, len(routes), GUESSES)):
        with KeyedClient(application, headers=headers, client=(f"192.0.2.{number}", 50000)) as client:
            assert statuses(set(routes[start : start + GUESSES]), client) == {401}


def test_a_suspended_tenant_gets_403_everywhere(application, operations, client_for, make_tenant):
    from core.tenancy import suspend_tenant

    suspended = make_tenant()
    suspend_tenant(suspended.ref.slug)
    assert statuses(operations, client_for(application, suspended.api_key)) == {403}


def test_a_key_without_permissions_gets_403_everywhere_but_of_itself(application, operations, client_for, tenant):
    from core.identity.keys import create_key

    client = client_for(application, create_key(tenant, name="none", permissions=()).plaintext)
    assert statuses(OF_ONESELF, client) == {200}  # first: the platform then knows the key, and each route must ask
    assert statuses(operations - OF_ONESELF, client) == {403}


class TestCanary:
    """The check itself must fail where something leaks, or it proves nothing."""

    @pytest.fixture
    def leaky(self, database, two):
        router, shared = APIRouter(prefix="/v1/canary"), {}
        reader = Annotated[Principal, Depends(require("audit.read"))]

        @router.get("/leak/{name}")
        def leak(_: reader, name: str) -> str:
            return shared[name]

        @router.get("/kept/{name}")
        def named(principal: reader, name: str) -> str:
            if shared.get(name) != str(principal.tenant_id):
                raise NotFound("no")
            return name

        @router.get("/all")
        def everything(_: reader) -> dict[str, str]:
            return shared

        @router.delete("/forgetful/{name}")
        def forgetful(principal: reader, name: str) -> str:
            if shared.pop(name, None) != str(principal.tenant_id):
                raise NotFound("no")
            return name

        from core.app.factory import create_app

        app: FastAPI = create_app([feature])
        app.include_router(router)
        owner, stranger = two
        ours = KeyedClient(app, headers={"X-API-Key": owner.api_key})
        theirs = KeyedClient(app, headers={"X-API-Key": stranger.api_key})

        def prepare(_):
            name = uuid4().hex
            shared[name] = str(owner.ref.id)
            return Call(path={"name": name}, marks=[name])

        return World(owner.ref, ours, theirs), prepare

    @pytest.mark.parametrize(
        ("method", "path", "kind", "message"),
        [
            ("GET", "/v1/canary/leak/{name}", "item", "as another tenant: 200"),
            ("GET", "/v1/canary/all", "collection", "shows another tenant"),
            ("DELETE", "/v1/canary/forgetful/{name}", "item", "after a stranger's"),
        ],
    )
    def test_a_route_that_leaks_is_found(self, leaky, method, path, kind, message):
        world, prepare = leaky
        with pytest.raises(AssertionError, match=message):
            check(
                Case(
                    method,
                    path,
                    kind,
                    lambda w: Call(path=prepare(w).path, marks=[w.tenant.id] if "all" in path else ()),
                ),
                world,
            )

    def test_a_route_that_keeps_is_passed(self, leaky):
        world, prepare = leaky
        check(Case("GET", "/v1/canary/kept/{name}", "item", prepare), world)
