"""A new format is a class with two methods: the one in docs/how-to/add-a-format.md, as it stands there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from core.database import TenantRef, tenant_session
from tenants.imports import formats as package
from tenants.imports.facts import DispensationFact
from tenants.imports.mapping import Mapping
from tenants.imports.reading import reader as readers
from tenants.imports.reading.reader import Position, Reader
from tenants.imports.reading.sources import from_paths
from tests.tenants.imports.conftest import RunImport, rows

PAGE = Path(__file__).resolve().parents[4] / "docs" / "how-to" / "add-a-format.md"
TEXT = "#REFILLS\nC1|P1|2024-01-10|30\nC1|P1|2024-02-09|ninety\nC1|P2|2024-02-01|90\n"


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[type[Reader]]:
    """The format of the page, in a file of the package of formats. Nothing else registers it."""
    folder = tmp_path_factory.mktemp("formats")
    text = PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    (folder / "refill_lines.py").write_text(text)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    readers.formats.cache_clear()
    yield type(readers.reader("refill-lines"))
    readers.formats.cache_clear()
    del sys.modules[f"{package.__name__}.refill_lines"]
    del package.refill_lines


def test_two_methods_are_all_that_a_format_needs(added: type[Reader]) -> None:
    assert Reader.__abstractmethods__ == {"detect", "rows"}
    assert [name for name, value in vars(added).items() if callable(value)] == ["detect", "rows"]


def test_a_file_of_the_new_format_is_recognised_and_imported(
    added: type[Reader], tenant: TenantRef, tmp_path: Path, run_import: RunImport
) -> None:
    path = tmp_path / "refills.txt"
    path.write_text(TEXT)
    summary = run_import(tenant, [path], Mapping())
    assert (summary.format, summary.data_date) == (added.name, date(2024, 2, 1))
    assert (summary.rows_read, summary.rows_rejected) == (3, 1)
    with tenant_session(tenant, actor="test:1") as session:
        stored = rows(session, "SELECT date_dispensed, days_supplied FROM dispensations ORDER BY 1")
    assert stored == [(date(2024, 1, 10), 30), (date(2024, 2, 1), 90)]


def test_a_new_format_resumes_after_any_line(added: type[Reader], tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(TEXT)
    sources = from_paths([tmp_path / "a.txt", tmp_path / "b.txt"])
    whole = [(one.file, one.line) for one in added().read(sources, Mapping())]
    assert whole == [(0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4)]
    for at, place in enumerate(whole, start=1):
        rest = added().read(sources, Mapping(), after=Position(*place))
        assert [(one.file, one.line) for one in rest] == whole[at:]


def test_the_data_date_is_the_latest_event_that_does_not_lie_in_the_future(added: type[Reader], tmp_path: Path) -> None:
    path = tmp_path / "refills.txt"
    path.write_text(TEXT + "C1|P3|2199-01-01|30\n")
    sources = from_paths([path])
    assert added().data_date(sources, Mapping()) == date(2024, 2, 1)
    assert added().data_date(sources, Mapping(data_date=date(2024, 6, 30))) == date(2024, 6, 30)
    last = list(added().read(sources, Mapping()))[-1]
    assert [fact.date_dispensed for fact in last.facts if isinstance(fact, DispensationFact)] == [date(2199, 1, 1)]
