"""A partner with the demo's guidelines, and one with a library of documents of its own."""

from uuid import uuid4

import pytest

from tenants.knowledge import indexing
from tests.keyed import KeyedClient
from tests.tenants.knowledge.asking import ModelServer, Partner
from tests.tenants.knowledge.guidelines import add_guidelines
from tests.tenants.knowledge.library import FakeEmbedder, Library


@pytest.fixture(scope="module")
def module_partner(make_tenant, application):
    created = make_tenant()
    add_guidelines(created.ref)
    with KeyedClient(application, headers={"Authorization": f"Bearer {created.api_key}"}) as api:
        clinic = f"G{uuid4().hex[:10]}"
        api.post("/v1/facilities", json={"datim_id": clinic, "name": "Riverside Clinic"})
        yield Partner(created.ref, api, clinic)


@pytest.fixture
def partner(module_partner):
    """One tenant for a file, with the default settings at the beginning of each test."""
    module_partner.set()
    return module_partner


@pytest.fixture
def model(settings_of):
    """The installation's language model, on this machine."""
    with ModelServer() as server:
        settings_of(language_model_url=server.url, language_model_name="small-1", language_model_key="a-secret")
        yield server


@pytest.fixture
def library(module_tenant, monkeypatch):
    """An empty library of the module's tenant, whose vectors need no model."""
    monkeypatch.setattr(indexing, "embedder", lambda _: FakeEmbedder())
    empty = Library(module_tenant)
    empty.forget_all()
    return empty
