"""What holds an import up or ends it is said: who, what was wrong, what to do."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from core.database import TenantRef, TenantSession, tenant_session
from core.errors import Invalid
from core.settings import get_settings
from tenants.imports import lock_wait, report, repository, service
from tenants.imports.lock_wait import ImportBlocked
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.sources import Limits, Source, check_size, from_paths
from tenants.imports.runner import Runner
from tenants.imports.service import GivenFile, Order
from tenants.records.locks import lock_for_import
from tests.tenants.imports.newest import newest_import

from .conftest import MAPPING, RunImport, write


def begin(tenant: TenantRef, paths: list[Path], day: date | None = None) -> Runner:
    def open_session() -> Any:
        return tenant_session(tenant, actor="cli:operator")

    sources = from_paths(paths)
    files = [GivenFile(item.name, item.size, item.digest()) for item in sources]
    with open_session() as session:
        uuid = service.begin(session, Order(files, parse_mapping(MAPPING), data_date=day))[0].uuid
    return Runner(open_session, uuid, sources, lambda *_: None)


@contextmanager
def step_of(tenant: TenantRef, uuid: UUID) -> Iterator[TenantSession]:
    """A step of an import in a process that goes no further."""
    with tenant_session(tenant, actor="cli:operator") as session:
        repository.find(session, uuid, lock=True)
        yield session
        session.rollback()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock_wait, "PATIENCE_SECONDS", 1)


@pytest.mark.usefixtures("impatient")
def test_an_import_held_by_a_stopped_process_says_so_and_goes_on_when_it_is_free(
    tenant: TenantRef, partner_files: list[Path]
) -> None:
    runner = begin(tenant, partner_files)
    with step_of(tenant, runner._uuid), pytest.raises(ImportBlocked, match=str(runner._uuid)) as rejected:
        runner.run()
    assert "end it" in rejected.value.remedy
    runner.run()


@pytest.mark.usefixtures("impatient")
def test_an_import_that_waits_for_another_names_it(tenant: TenantRef, partner_files: list[Path]) -> None:
    first, second = begin(tenant, partner_files), begin(tenant, partner_files, date(2024, 6, 29))
    with step_of(tenant, first._uuid) as session:
        lock_for_import(session)
        with pytest.raises(ImportBlocked, match=f"waits for import {first._uuid}"):
            second.run()
    second.run()


def test_a_failed_import_says_field_problem_and_remedy(
    tenant: TenantRef, tmp_path: Path, run_import: RunImport
) -> None:
    cut = gzip.compress(b"id,day,days,regimen,next\n" + b"P1,2023-01-10,30,T,\n" * 5000)[:-20]
    paths = write(tmp_path, patients__csv="id,clinic\n")
    (tmp_path / "pickups.csv.gz").write_bytes(cut)
    with pytest.raises(Invalid):
        run_import(tenant, [*paths, tmp_path / "pickups.csv.gz"])
    with tenant_session(tenant, actor="test:1") as session:
        row = newest_import(session)
        (failure,) = report.summary(session, row).failure
    assert row.state == "failed"
    assert failure["field"].startswith("file ")
    assert failure["problem"]
    assert failure["remedy"]


def test_files_that_hold_more_than_an_import_may_are_rejected_before_they_are_read() -> None:
    def unread() -> Any:
        pytest.fail("it was opened")

    sources = [Source(f"{number}.csv", unread, 6 << 20, Limits(expanded=10 << 20)) for number in range(2)]
    check_size(sources[:1])
    with pytest.raises(Invalid, match="12 MB, and one import may hold 10 MB") as rejected:
        check_size(sources)
    assert "IIT_IMPORT_MAX_BYTES" in rejected.value.remedy


def test_the_limit_is_the_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Limits().expanded == 8 << 30
    smaller = get_settings().model_copy(update={"import_max_bytes": 4096})
    monkeypatch.setattr("tenants.imports.reading.sources.get_settings", lambda: smaller)
    assert Limits().expanded == 4096
