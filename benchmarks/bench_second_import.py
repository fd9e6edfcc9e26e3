"""Benchmark of importing a list again, compared per row with its first import: what a partner at work does most.

Three cases: the same files; a list that grew by a tenth, of a later day; the grown list into a tenant that holds 20
imports of it. The first import of each case is the bare side.
"""

from __future__ import annotations

import csv
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import date, timedelta
from pathlib import Path

from benchmarks.bench_import import MAPPING, simulate
from benchmarks.measure import Ratio, settled
from core.database import TenantRef, TenantSession, tenant_session
from core.tenancy import create_tenant
from tenants.imports import service
from tenants.imports.mapping import parse_mapping
from tenants.imports.reading.sources import from_paths
from tenants.imports.runner import Runner
from tenants.imports.service import GivenFile, Order

_CONTACTS = {"small": 40_000, "full": 200_000}
_BEFORE = 20
_TARGET = 1.5
_FIRST = date(2023, 1, 31)


def run(contacts: int = 0) -> Iterator[Ratio]:
    """Compare repeated imports of the same list and of a grown list with the first import.

    Args:
        contacts: pick-ups of the grown list; 0 for the size that ``IIT_BENCH_SCALE`` names.
    """
    contacts = contacts or _CONTACTS[os.environ.get("IIT_BENCH_SCALE", "small")]
    with tempfile.TemporaryDirectory(prefix="iit-bench-second-") as name:
        whole = Path(name) / "whole"
        whole.mkdir()
        simulate(whole, contacts)
        part, part_rows = _shortened(Path(name), whole)
        tenant = create_tenant(f"bench-{secrets.token_hex(4)}", "Benchmark").ref
        first = _import(tenant, whole, _FIRST) / contacts
        yield _ratio("the same list again", _import(tenant, whole, _FIRST + timedelta(days=7)) / contacts, first)
        tenant = create_tenant(f"bench-{secrets.token_hex(4)}", "Benchmark").ref
        first = _import(tenant, part, _FIRST) / part_rows
        grown = _import(tenant, whole, _FIRST + timedelta(days=7)) / contacts
        yield _ratio("a list that grew by a tenth", grown, first)
        tenant = create_tenant(f"bench-{secrets.token_hex(4)}", "Benchmark").ref
        first = _import(tenant, part, _FIRST) / part_rows
        for week in range(1, _BEFORE):
            _import(tenant, part, _FIRST + timedelta(days=7 * week))
        grown = _import(tenant, whole, _FIRST + timedelta(days=7 * _BEFORE)) / contacts
        yield _ratio(f"a grown list after {_BEFORE} imports", grown, first)


def _ratio(what: str, ours: float, bare: float) -> Ratio:
    return Ratio(f"{what}, per row, over its first import", ours, bare, target=_TARGET)


def _shortened(folder: Path, whole: Path) -> tuple[Path, int]:
    """Return an earlier form of the list: nine of ten pick-ups, and all people."""
    part, part_rows = folder / "part", 0
    part.mkdir()
    (part / "patients.csv").write_bytes((whole / "patients.csv").read_bytes())
    with (whole / "pickups.csv").open(newline="") as stream, (part / "pickups.csv").open("w", newline="") as out:
        reader, writer = csv.reader(stream), csv.writer(out)
        writer.writerow(next(reader))
        for number, row in enumerate(reader):
            if number % 10:
                writer.writerow(row)
                part_rows += 1
    return part, part_rows


def _import(tenant: TenantRef, folder: Path, day: date) -> float:
    """Import a list whose data run to a day, and return the seconds."""

    def open_session() -> AbstractContextManager[TenantSession]:
        return tenant_session(tenant, actor="cli:benchmark")

    settled()
    sources = from_paths([folder / "patients.csv", folder / "pickups.csv"])
    files = [GivenFile(item.name, item.size, item.digest()) for item in sources]
    began = time.perf_counter()
    with open_session() as session:
        uuid = service.begin(session, Order(files, parse_mapping(MAPPING), data_date=day))[0].uuid
    Runner(open_session, uuid, sources, lambda *_: None).run()
    seconds = time.perf_counter() - began
    sys.stderr.write(f"  an import of {folder.name} to {day}: {seconds:.1f} s\n")
    return seconds
