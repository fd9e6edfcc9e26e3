"""Nothing slow or foreign is called within a transaction of a tenant, in whatever thread a request's parts run."""

import threading

import numpy as np
import pytest
from fastapi import APIRouter

from core import telemetry
from core.access import TenantDb, TenantScope
from core.app.factory import create_app
from core.database import TransactionOpenError, require_none, tenant_session
from core.feature import feature
from core.plugins import fit_in_process
from core.plugins.process import Limits, private_folder, run
from plugins.sdk import FeatureSpec, TrainingData


def test_it_is_rejected_while_a_transaction_is_open_and_allowed_before_and_after(tenant):
    require_none("a plugin was called")
    within = pytest.raises(TransactionOpenError, match="a plugin was called within a transaction")
    with tenant_session(tenant, actor="test:1"), within:
        require_none("a plugin was called")
    require_none("a plugin was called")


def test_a_transaction_that_failed_is_open_no_longer(tenant):
    with pytest.raises(ZeroDivisionError), tenant_session(tenant, actor="test:1"):
        raise ZeroDivisionError
    require_none("a plugin was called")


def test_the_transactions_of_others_are_their_own(tenant):
    errors = []

    def other():
        try:
            require_none("a plugin was called")
        except TransactionOpenError as error:
            errors.append(error)

    with tenant_session(tenant, actor="test:1"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert errors == []


def test_a_unit_of_work_is_one_in_all_its_threads(tenant):
    """As a request is: begun in one thread, used in another."""
    import contextvars

    outcomes = []

    def within():
        try:
            require_none("a plugin was called")
        except TransactionOpenError:
            outcomes.append("refused")

    with telemetry.bound():
        present_context = contextvars.copy_context()
        with tenant_session(tenant, actor="test:1"):
            thread = threading.Thread(target=present_context.run, args=(within,))
            thread.start()
            thread.join()
        within()
    assert outcomes == ["refused"]


def test_a_route_with_the_requests_transaction_cannot_call_a_plugin(database, client_for, owner):
    toy = APIRouter(prefix="/v1/toy")

    @toy.get("/within")
    def within(db: TenantDb) -> dict[str, str]:
        return {"found": outcome()}

    @toy.get("/without")
    def without(scope: TenantScope) -> dict[str, str]:
        with scope.session():
            pass
        return {"found": outcome()}

    app = create_app([feature])
    app.include_router(toy)
    api = client_for(app, owner.api_key)
    assert api.get("/v1/toy/within").json() == {"found": "refused"}
    assert api.get("/v1/toy/without").json() == {"found": "allowed"}


def outcome():
    try:
        require_none("a plugin was called")
    except TransactionOpenError:
        return "refused"
    return "allowed"


def test_a_plugin_is_not_called_within_a_transaction(tenant):
    data = TrainingData(np.zeros((4, 1)), np.array([0, 1, 0, 1]), np.arange(4), (FeatureSpec("f", "continuous"),))
    with tenant_session(tenant, actor="test:1"):
        with pytest.raises(TransactionOpenError, match="additive"):
            fit_in_process("additive", data, {}, 0)
        with pytest.raises(TransactionOpenError), private_folder() as folder:
            run(folder, "any", {"operation": "describe"}, Limits(10))
