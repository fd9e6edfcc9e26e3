"""Every operation and every page, called as every built-in role: exactly those reach it whom the reference names."""

import pytest

from core.access.require import api_routes, page_routes
from core.app.access_page import FILE, page, roles_that_reach, rows_of
from core.database import platform_session
from core.identity import CredentialOwner, Principal, credentials
from core.identity.credentials import BEARER, credential_kinds
from core.identity.people import accounts, members, sessions
from core.identity.roles import PROGRAM, ROLES, permissions_of_role
from tests.isolation.test_routes import _made_up
from tests.keyed import KeyedClient

FORBIDDEN, SERVER_ERROR = 403, 500
RETRY = {408, 429}
WITH_BODY = {"POST", "PUT", "PATCH"}
OF_TENANTS = [role.name for role in ROLES.values() if not role.operator]
OPERATORS = [role.name for role in ROLES.values() if role.operator]
OF_PEOPLE = [name for name in ROLES if name != PROGRAM]


class Tokens:
    """Bearer tokens of people who have one role each."""

    name = "token-of-role"
    places = frozenset({BEARER})

    def __init__(self, tenant):
        self.people = {}
        for role in ROLES.values():
            whose = None if role.operator else tenant
            person = Principal(
                "operator" if role.operator else "person",
                role.name,
                None if whose is None else whose.id,
                permissions_of_role(role.name),
                roles=frozenset({role.name}),
                credential=self.name,
                credential_id=role.name,
            )
            self.people[f"role-{role.name}"] = CredentialOwner(person, whose)

    def recognizes(self, credential):
        return credential in self.people

    def verify(self, credential):
        return self.people[credential]

    def confirm(self, principal):
        assert f"role-{principal.credential_id}" in self.people

    def counts_as_guess(self, error):
        return False


@pytest.fixture(scope="module")
def callers(application, two):
    """Clients of the API by role."""
    tokens = Tokens(two[0].ref)
    kinds = (*credential_kinds(), tokens)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(credentials, "credential_kinds", lambda: kinds)
        yield {
            name: KeyedClient(
                application, headers={"Authorization": f"Bearer role-{name}"}, raise_server_exceptions=False
            )
            for name in ROLES
        }


@pytest.fixture(scope="module")
def visitors(application, two):
    """Browsers by role, with a session."""
    browsers = {}
    for name in OF_PEOPLE:
        email = f"{name}-{two[0].ref.slug}@example.org"
        if name in OPERATORS:
            person, tenant = accounts.add_operator(email, "Operator", name, actor="test:1"), None
        else:
            tenant = two[0].ref
            person = members.add_member(tenant, email, "Person", members.Grant([name]), actor="test:1")
        with platform_session() as session:
            if tenant is not None:
                members.accept(session, person, tenant.id)
            begun = sessions.begin(session, person, None if tenant is None else tenant.id, signed_in_by="password")
        browsers[name] = KeyedClient(application, follow_redirects=False)
        browsers[name].cookies.set("iit_session", begun.secret)
    return browsers


def rejected(rows, client):
    """The operations that answer 403, called with made-up ids and an empty body; streams end after what is there."""
    answers = {
        (method, path): client.request(
            method,
            _made_up(path),
            json={} if method in WITH_BODY else None,
            params={"wait": "false"} if path.endswith("/stream") else None,
        ).status_code
        for method, path, needed in rows
        if needed
    }
    assert {where: status for where, status in answers.items() if status >= SERVER_ERROR or status in RETRY} == {}
    return {where for where, status in answers.items() if status == FORBIDDEN}


def unreachable(rows, role):
    return {(method, path) for method, path, needed in rows if needed and role not in roles_that_reach(needed)}


def test_the_reference_is_what_the_routes_declare_run_python_m_core_app_access_page(application):
    assert FILE.read_text(encoding="utf-8") == page(application)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_reaches_the_operations_that_its_table_says(role, callers, application):
    rows = rows_of(api_routes(application))
    assert rejected(rows, callers[role]) == unreachable(rows, role)


@pytest.mark.parametrize("role", OF_PEOPLE)
def test_each_role_reaches_the_pages_that_its_table_says(role, visitors, application):
    rows = [row for row in rows_of(page_routes(application)) if row[0] == "GET"]
    assert rejected(rows, visitors[role]) == unreachable(rows, role)


def test_no_operator_reaches_an_operation_of_a_tenant_by_a_permission_of_tenants():
    permissions = frozenset().union(*(permissions_of_role(name) for name in OPERATORS))
    assert not permissions & frozenset().union(*(permissions_of_role(name) for name in OF_TENANTS))
