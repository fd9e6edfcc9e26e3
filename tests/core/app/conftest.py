"""The OpenAPI document, and keys that are accepted without a database."""

from uuid import uuid4

import pytest

from core.access.verification import Verification
from core.errors import Unauthenticated
from core.identity.principal import CredentialOwner, Principal
from tests.core.app.documents import operations_of

FORM = "iit_{0:012x}_" + "0" * 64


class Keys:
    """Keys by number, each of a tenant of its own unless ``tenant`` says whose; ``asked`` counts the look-ups."""

    def __init__(self):
        self.known = {}
        self.asked = []

    def add(self, number, tenant=None, permissions=()):
        tenant_id = tenant or uuid4()
        self.known[FORM.format(number)] = Principal("api_key", str(uuid4()), tenant_id, frozenset(permissions))
        return FORM.format(number)

    def verify(self, credential):
        key = credential.secret
        self.asked.append(key)
        if key not in self.known:
            raise Unauthenticated("the API key is not known")
        principal = self.known[key]
        return Verification(credential, CredentialOwner(principal, _Ref(principal.tenant_id)), 0.0)


class _Ref:
    def __init__(self, tenant_id):
        self.id = tenant_id


@pytest.fixture
def keys(monkeypatch):
    fake_keys = Keys()
    monkeypatch.setattr("core.app.callers.verify", fake_keys.verify)
    return fake_keys


@pytest.fixture(scope="module")
def document(application):
    return application.openapi()


@pytest.fixture(scope="module")
def operations(document):
    return operations_of(document)
