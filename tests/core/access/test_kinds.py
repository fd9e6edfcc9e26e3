"""Credentials of other kinds than API keys: people of a tenant, and operators without one."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends

from core.access import AnyScope, Scope, require_operator, signed_in
from core.app import callers
from core.errors import Unauthenticated
from core.identity import CredentialOwner, Principal, credentials
from core.identity.credentials import BEARER, credential_kinds
from tests.core.app.wire import ask, connect, head, served, status_of
from tests.core.conftest import make_toy_app

toy = APIRouter(prefix="/v1/kinds")


@toy.get("/any")
def any_one(_: Annotated[Principal, Depends(signed_in)], scope: AnyScope) -> dict[str, str]:
    return {"actor": scope.principal.actor, "tenant": scope.tenant.slug if scope.tenant else "none"}


@toy.get("/operators")
def operators(principal: Annotated[Principal, Depends(require_operator("audit.read"))]) -> str:
    return principal.actor


class Tokens:
    """Bearer tokens of people and operators, held in memory."""

    name = "token"
    places = frozenset({BEARER})

    def __init__(self):
        self.known = {}
        self.asked = []

    def recognizes(self, credential):
        return credential.startswith("token-")

    def verify(self, credential):
        self.asked.append(credential)
        if credential not in self.known:
            raise Unauthenticated("the session has ended")
        return self.known[credential]

    def confirm(self, principal):
        if principal.credential_id not in self.known:
            raise Unauthenticated("the session has ended")

    def counts_as_guess(self, error):
        return "ended" not in error.detail


@pytest.fixture
def tokens(monkeypatch, owner):
    tokens = Tokens()
    kinds = (*credential_kinds(), tokens)
    monkeypatch.setattr(credentials, "credential_kinds", lambda: kinds)
    rights = frozenset({"audit.read"})
    for name, principal, tenant in (
        ("token-person", Principal("person", "p1", owner.ref.id, rights), owner.ref),
        ("token-operator", Principal("operator", "o1", None, rights), None),
        ("token-idle-operator", Principal("operator", "o2", None), None),
    ):
        tokens.known[name] = CredentialOwner(principal, tenant)
    return tokens


@pytest.fixture
def bearer(client_for, tokens, owner):
    client = client_for(make_toy_app(toy), None)

    def get(path, token):
        return client.get(f"/v1/{path}", headers={"Authorization": f"Bearer {token}"})

    return get


def test_a_person_acts_for_the_tenant_and_an_operator_for_none(bearer, owner):
    assert bearer("kinds/any", "token-person").json() == {"actor": "person:p1", "tenant": owner.ref.slug}
    assert bearer("kinds/any", "token-operator").json() == {"actor": "operator:o1", "tenant": "none"}
    assert bearer("kinds/any", owner.api_key).json()["tenant"] == owner.ref.slug


def test_the_tenants_transaction_names_the_person(bearer, owner, open_session):
    answer = bearer("toy/plain", "token-person")
    assert answer.json() == {"actor": "person:p1"}


def test_an_operator_reaches_no_route_of_a_tenant(bearer):
    for path in ("toy/plain", "toy/one", "audit"):
        answer = bearer(path, "token-operator")
        assert answer.status_code == 403
        assert "tenant" in answer.json()["detail"]


def test_nobody_but_an_operator_with_the_permission_reaches_a_route_of_operators(bearer, owner):
    assert bearer("kinds/operators", "token-operator").status_code == 200
    for token in ("token-idle-operator", "token-person", owner.api_key):
        assert bearer("kinds/operators", token).status_code == 403


def test_a_session_that_ended_is_401_and_no_guess(bearer, tokens, monkeypatch):
    monkeypatch.setattr(callers, "GUESSES", 1)
    monkeypatch.setattr(callers, "GUESSES_A_SECOND", 0.001)
    assert [bearer("kinds/any", "token-gone").status_code for _ in range(4)] == [401] * 4
    assert [bearer("kinds/any", f"iit_{n:012x}_{'0' * 64}").status_code for n in range(3)] == [401, 429, 429]


def test_a_scope_that_goes_on_asks_the_kind_again(tokens, owner):
    person = Principal("person", "p1", owner.ref.id, credential="token", credential_id="token-person")
    scope = Scope(person, owner.ref, "r1")
    scope.confirm()
    del tokens.known["token-person"]
    with pytest.raises(Unauthenticated, match="ended"):
        scope.confirm()


@pytest.mark.parametrize("credential", ["Bearer nonsense", "Bearer eyJhbGciOiJub25lIn0.e30.", "Bearer iit_short"])
def test_an_unknown_kind_is_rejected_while_its_body_has_not_come(tokens, credential):
    with served(make_toy_app(toy)) as port, connect(port) as client:
        client.sendall(head("POST", "/v1/toy/body", Authorization=credential, Content_Length=900_000))
        assert status_of(client) == 401
    assert tokens.asked == []


def test_operators_have_a_share_of_their_own(tokens, owner):
    with served(make_toy_app(toy)) as port, connect(port) as client:
        client.sendall(head("GET", "/v1/kinds/operators", Authorization="Bearer token-operator"))
        assert status_of(client) == 200
        assert ask(port, "/v1/toy/one", owner.api_key) == 200
