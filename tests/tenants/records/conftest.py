"""A tenant with one facility, and the API as that tenant's key sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from core.database import TenantRef, TenantSession, tenant_session
from tests.keyed import KeyedClient


@dataclass(frozen=True)
class Api:
    """A client of one tenant."""

    tenant: TenantRef
    client: TestClient

    def call(self, method: str, path: str, **options: Any) -> Any:
        return self.client.request(method, f"/v1{path}", **options)

    def add(self, path: str, **body: Any) -> dict[str, Any]:
        answer = self.call("POST", path, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def get(self, path: str, **query: Any) -> Any:
        answer = self.call("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def patch(self, path: str, version: str, **body: Any) -> Any:
        return self.call("PATCH", path, json=body, headers={"If-Match": f'"{version}"'})

    def void(self, path: str, version: str = "*", reason: str = "entered_twice") -> Any:
        tag = version if version == "*" else f'"{version}"'
        return self.call("DELETE", path, params={"reason": reason}, headers={"If-Match": tag})

    def events(self) -> list[tuple[str, str]]:
        """Action and subject of everything in the audit, oldest first."""
        with tenant_session(self.tenant, actor="test:1", readonly=True) as session:
            cursor = session.cursor().execute("SELECT action, subject_uuid::text FROM audit_events ORDER BY event_id")
            return cursor.fetchall()


@pytest.fixture(scope="session")
def records_app(database: object) -> FastAPI:
    from core.app.factory import create_app
    from core.feature import feature as core_feature
    from tenants.records.feature import feature

    return create_app([core_feature, feature])


@pytest.fixture
def session(module_tenant: TenantRef) -> Iterator[TenantSession]:
    """One transaction that is rolled back, so that each test finds the module's tenant empty."""
    with tenant_session(module_tenant, actor="test:1") as opened:
        yield opened
        opened.rollback()


@pytest.fixture(scope="session")
def make_api(make_tenant: Callable[..., Any], records_app: FastAPI) -> Callable[[], Api]:
    def make() -> Api:
        created = make_tenant()
        headers = {"X-API-Key": created.api_key}
        return Api(created.ref, KeyedClient(records_app, headers=headers, raise_server_exceptions=False))

    return make


@pytest.fixture(scope="module")
def shared_api(make_api: Callable[[], Api]) -> Api:
    """The API of one tenant for all tests of a module that only read, or are rejected."""
    new_api = make_api()
    new_api.add("/facilities", datim_id="FAC1", name="Clinic one", state_province="Kano")
    new_api.add("/facilities", datim_id="FAC2", name="Clinic two", state_province="Kano")
    return new_api


@pytest.fixture
def api(make_api: Callable[[], Api]) -> Iterator[Api]:
    """The API of a fresh tenant with one facility, ``FAC1``."""
    new_api = make_api()
    new_api.add("/facilities", datim_id="FAC1", name="Clinic one", state_province="Kano")
    return new_api
