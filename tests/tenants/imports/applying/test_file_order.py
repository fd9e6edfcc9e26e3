"""Files in any order give the same records, also where a list that names people comes late."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from core.database import TenantRef
from tests.tenants.imports.applying.file_worlds import FileList, all_that_follows, bring, generic, lamisplus, undo
from tests.tenants.imports.applying.test_order import differences
from tests.tenants.imports.conftest import RunImport

Records = dict[str, list[tuple[Any, ...]]]


class Walk:
    """Imports and undoes files of one tenant; the same set of files must always give the same records."""

    def __init__(self, tenant: TenantRef, run_import: RunImport) -> None:
        self._tenant = tenant
        self._run_import = run_import
        self._expected: dict[frozenset[str], Records] = {}

    def expect(self, order: list[str]) -> Records:
        """Check that the records are those that followed from the same set of files before."""
        now = all_that_follows(self._tenant)
        expected = self._expected.setdefault(frozenset(order), now)
        changes = differences(now, expected)
        assert not changes, "\n".join(map(str, [order, *changes]))
        return now

    def bring(self, one: FileList) -> UUID:
        return bring(self._run_import, self._tenant, one)

    def undo(self, *uuids: UUID) -> None:
        undo(self._tenant, uuids)

    def through(self, files: list[FileList], before: list[str]) -> None:
        """Import any three of the files in all orders, and undo each again after the last one."""
        for one in files if len(before) < 3 else ():
            uuid = self.bring(one)
            order = [*before, one.name]
            self.expect(order)
            self.through([other for other in files if other is not one], order)
            self.undo(uuid)
            self.expect(before)


@pytest.mark.parametrize("world", [lamisplus, generic])
def test_files_in_all_orders_each_undone_again_give_the_same(
    tenant: TenantRef, run_import: RunImport, tmp_path: Path, world
) -> None:
    files, walk = world(tmp_path), Walk(tenant, run_import)
    imports = [walk.bring(one) for one in files]
    everything = walk.expect([one.name for one in files])
    assert everything["waiting"]
    assert everything["contacts"]
    walk.undo(*imports)
    nothing = walk.expect([])
    assert not any(table_rows for table, table_rows in nothing.items() if not table.startswith("seen")), nothing
    walk.through(files, [])
    # Undo the one that came first, with all others after it.
    for one in files:
        rest = [other for other in files if other is not one]
        first, *others = [walk.bring(other) for other in (one, *rest)]
        walk.undo(first)
        walk.expect([other.name for other in rest])
        walk.undo(*others)
