"""Steps do not wait for the disk: if the server crashes and loses some, the same run repeats them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.database import TenantRef, TenantSession
from tenants.imports import lock_wait, repository, runner
from tenants.imports.applying import apply

from .conftest import RunImport
from .test_faults import content


class _Lost(Exception):  # noqa: N818 - it never leaves this module
    pass


class Losing:
    """Steps of which one, that need not wait for the disk, is undone though it seemed to be committed."""

    def __init__(self, at: int) -> None:
        self.steps, self.lost, self._at, self._lasting = 0, 0, at, False

    @contextmanager
    def patiently(self, *args: Any) -> Iterator[TenantSession]:
        self.steps += 1
        self._lasting = False
        lose = self.steps == self._at
        try:
            with lock_wait.patiently(*args) as session:
                yield session
                if lose and not self._lasting:
                    raise _Lost  # noqa: TRY301 - so that the transaction is rolled back
        except _Lost:
            self.lost += 1

    def lasting(self, session: TenantSession) -> None:
        self._lasting = True
        lock_wait.lasting(session)


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "READ_ROWS", 2)
    monkeypatch.setattr(runner, "BLOCK_ROWS", 1)
    monkeypatch.setattr(apply, "STEP_ROWS", 2)
    monkeypatch.setattr(repository, "EMPTY_ROWS", 1)


@pytest.mark.usefixtures("small_steps")
def test_whichever_step_is_lost_the_rows_are_those_of_an_import_that_lost_none(
    make_tenant: Callable[[], Any], run_import: RunImport, partner_files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def content_of(losing: Losing) -> dict[str, Any]:
        monkeypatch.setattr(runner, "patiently", losing.patiently)
        monkeypatch.setattr(runner, "lasting", losing.lasting)
        tenant: TenantRef = make_tenant().ref
        assert run_import(tenant, partner_files).state == "done"
        return content(tenant)

    undisturbed = Losing(at=0)
    expected = content_of(undisturbed)
    losses = 0
    for at in range(1, undisturbed.steps + 1):
        losing = Losing(at)
        assert content_of(losing) == expected, f"step {at} of {undisturbed.steps} was lost"
        losses += losing.lost
    assert losses >= undisturbed.steps - 2, "only claim and end wait for the disk"
