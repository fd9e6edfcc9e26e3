"""What tests share: a private PostgreSQL and Valkey for the whole run, migrated once, and tenants made on demand.

The servers are started by the first test that needs one, shared by all workers of the run, and stopped at its end.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tests.spares import Spares

if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Iterator

    from fastapi import FastAPI
    from fastapi.testclient import TestClient

    from core.database import TenantRef, TenantSession
    from core.services import Endpoints
    from core.tenancy import CreatedTenant

    MakeTenant = Callable[..., CreatedTenant]
    MakeClient = Callable[..., TestClient]
    OpenSession = Callable[..., contextlib.AbstractContextManager[TenantSession]]

FOREIGN = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "IIT_MASTER_KEY")
"""Settings of the developer's shell that would send tests to servers that are not theirs."""

_RUN = "IIT_TEST_RUN"
"""Folder of this run; workers inherit it from the process that started them. ``make mutants`` gives many runs one."""
_OWN = pytest.StashKey[bool]()
_SPARES = Spares()
_FOREIGN_SETTINGS: list[str] = []
"""The folder of the servers that the module before had for itself, if it had."""


# A machine may be busy: how long an example takes is never what a test promises.
hypothesis_settings.register_profile("iit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("iit")


FIRST = (
    "docs/test_pages.py",
    "core/tenancy/backup/",
    "faults/",
    "core/tenancy/archive/",
    "core/tenancy/move/",
    "tenants/records/test_archiving_export.py",
    "tenants/imports/test_erased.py",
    "tenants/imports/reading/test_bounds.py",
    "tenants/imports/applying/test_file_order.py",
    "tenants/imports/test_faults.py",
    "browser/",
    "core/plugins/",
)
"""What runs before the rest: what copies whole schemas, because PostgreSQL then searches the tables of every tenant
that the run has made so far, and the longest files, so that the last of them does not keep one process waiting."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of ``FIRST`` first, each file whole."""
    root = Path(__file__).parent

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(root).as_posix()
        return next((place for place, start in enumerate(FIRST) if path.startswith(start)), len(FIRST))

    items.sort(key=rank)


def pytest_configure(config: pytest.Config) -> None:
    """Point every process of this run at its own folder, before anything reads the settings."""
    config.stash[_OWN] = not hasattr(config, "workerinput") and _RUN not in os.environ
    if config.stash[_OWN]:
        folder = tempfile.mkdtemp(prefix="iit-tests-")
        Path(folder).chmod(0o755)  # when root, the servers run as an account that must be able to enter
        os.environ[_RUN] = folder
    config.pluginmanager.register(_SPARES)  # a hook of this file would not be called for fixtures of the whole run
    point_at(Path(os.environ[_RUN]))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the servers and remove the folder, once all workers are done."""
    if not config.stash.get(_OWN, False):
        return
    folder = Path(os.environ.pop(_RUN))
    if (folder / "state").exists():
        from core.services import stop

        stop()
    shutil.rmtree(folder, ignore_errors=True)


def point_at(folder: Path) -> None:
    """Make the settings of this process those of a test: all state in ``folder``, no server from outside."""
    from core.settings import get_settings

    for name in FOREIGN:
        os.environ.pop(name, None)
    empty = folder / "settings.env"
    empty.touch()
    os.environ.update(
        IIT_SETTINGS_FILE=str(empty),
        IIT_STATE_DIR=str(folder / "state"),
        IIT_ENVIRONMENT="test",
        IIT_SERVICES_FSYNC="false",
        IIT_LOG_FORMAT="json",
        # Tests send more than people do; those of the quotas set their own.
        **dict.fromkeys(("IIT_RATE_PERSON", "IIT_RATE_KEY", "IIT_RATE_TENANT", "IIT_RATE_ADDRESS"), "0"),
    )
    get_settings.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def _no_shared_breakers() -> Iterator[None]:
    """Keep applications of this process from sharing their breakers, from storing their errors, and from their end.

    Clients keep their application started for as long as a module or the run; its thread would ask the servers that
    another module made for itself, and keep connections to them. An application that ends closes the connections, which
    are those of the whole process: each test would begin with new ones.
    """
    from contextlib import nullcontext

    from core.app import bounded, factory
    from core.jobs import worker

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(factory, "_close", lambda: bounded.settle(factory.SETTLE_SECONDS))
        for module in (factory, worker):
            for thread in ("sharing", "tracked", "seconds_recorded"):
                patch.setattr(module, thread, lambda *_: nullcontext())
        patch.setattr(factory, "notice_followed", nullcontext)
        yield


@pytest.fixture(scope="session")
def services() -> Endpoints:
    """The run's servers, started but empty."""
    from core.services import ensure

    return ensure()


@pytest.fixture(scope="session")
def database(services: Endpoints) -> Iterator[Endpoints]:
    """The run's servers with ``platform`` and ``node`` at head."""
    from core.database import dispose
    from core.database.upgrade import migrate

    migrate()
    with pytest.MonkeyPatch.context() as patch:
        _SPARES.install(patch)
        yield services
    dispose()


@pytest.fixture(scope="session")
def make_tenant(database: Endpoints) -> MakeTenant:
    """Makes a fresh tenant per call: ``make_tenant()`` gives its reference and its API key (0.05 s, or 0.2 s)."""
    from core.tenancy import create_tenant

    def make(slug: str | None = None, name: str = "Partner", **options: str) -> CreatedTenant:
        return create_tenant(slug or f"partner-{secrets.token_hex(6)}", name, **options)

    return make


@pytest.fixture
def new_schemas() -> Iterator[None]:
    """Make each tenant a schema that no other had, for tests of what PostgreSQL counts of its tables."""
    with _SPARES.pause():
        yield


@pytest.fixture
def tenant(make_tenant: MakeTenant) -> TenantRef:
    """A fresh tenant."""
    return make_tenant().ref


@pytest.fixture(scope="module")
def module_tenant(make_tenant: MakeTenant) -> TenantRef:
    """One tenant for all tests of a module: for tests that do not mind each other's rows."""
    return make_tenant().ref


@pytest.fixture
def two_tenants(make_tenant: MakeTenant) -> tuple[TenantRef, TenantRef]:
    """Two fresh tenants."""
    return make_tenant().ref, make_tenant().ref


@pytest.fixture
def open_session() -> OpenSession:
    """Opens a transaction of a tenant: ``with open_session(tenant) as session``."""
    from core.database import tenant_session

    def begin(
        tenant: TenantRef, *, actor: str = "test:1", **options: object
    ) -> contextlib.AbstractContextManager[TenantSession]:
        return tenant_session(tenant, actor=actor, **options)  # type: ignore[arg-type]  # as given by the test

    return begin


@pytest.fixture
def session(tenant: TenantRef) -> Iterator[TenantSession]:
    """One transaction of a fresh tenant, committed when the test passes."""
    from core.database import tenant_session

    with tenant_session(tenant, actor="test:1") as opened:
        yield opened


@pytest.fixture(scope="session")
def application(database: Endpoints) -> FastAPI:
    """The application with every installed feature."""
    from core.app.factory import create_app

    return create_app()


@pytest.fixture
def client_for(database: Endpoints) -> Iterator[MakeClient]:
    """Makes a client of an application that sends the given API key: ``client_for(app, made.api_key)``; or none."""
    from contextlib import ExitStack

    from tests.keyed import KeyedClient

    with ExitStack() as stack:

        def make(app: FastAPI, key: str | None) -> TestClient:
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            return stack.enter_context(KeyedClient(app, headers=headers))

        yield make


@pytest.fixture
def owner(make_tenant: MakeTenant) -> CreatedTenant:
    """The fresh tenant that ``api`` speaks for: ``owner.ref``, ``owner.api_key``."""
    return make_tenant()


@pytest.fixture
def api(application: FastAPI, client_for: MakeClient, owner: CreatedTenant) -> TestClient:
    """A client of the whole application with the key of ``owner``."""
    return client_for(application, owner.api_key)


@pytest.fixture(scope="module", autouse=True)
def _settings_of_the_run() -> None:
    """Read the settings again if the module before this one had servers of its own.

    A thread of it that was reading the settings as they were forgotten puts those of the stopped servers back.
    """
    if not _FOREIGN_SETTINGS:
        return
    from core.database import dispose
    from core.services.quick_redis import forget_quick_client
    from core.settings import get_settings

    _FOREIGN_SETTINGS.clear()
    get_settings.cache_clear()
    dispose()
    forget_quick_client()


@pytest.fixture(scope="module")
def own_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """Servers of this module's own, migrated: for tests that kill or empty them, or that migrate."""
    from core.database import dispose
    from core.database.upgrade import migrate
    from core.services import ensure, stop
    from core.services.quick_redis import forget_quick_client
    from core.settings import get_settings

    environment = dict(os.environ)
    folder = Path(tempfile.mkdtemp(prefix="iit-tests-own-"))
    folder.chmod(0o755)
    dispose()
    point_at(folder)
    forget_quick_client()
    try:
        yield_to = ensure()
        migrate()
        yield yield_to
    finally:
        dispose()
        stop()
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.clear()
        os.environ.update(environment)
        get_settings.cache_clear()
        dispose()  # a thread that a test left may have opened a pool of the stopped servers
        forget_quick_client()
        _FOREIGN_SETTINGS.append(str(folder))


@pytest.fixture
def settings_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Changes settings for one test: ``settings_of(database_pool_size=1)``. Pools are opened anew."""
    from core.database import dispose
    from core.settings import environment_name, get_settings

    def change(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(environment_name(name), str(value))
        get_settings.cache_clear()
        dispose()

    yield change
    monkeypatch.undo()
    get_settings.cache_clear()
    dispose()


@pytest.fixture(autouse=True)
def closed_breakers():
    """Forget what earlier tests made of the dependencies: a test without Redis would stop the calls of the next one."""
    yield
    if (instances := sys.modules.get("core.resilience.instances")) is not None:
        instances.forget()
