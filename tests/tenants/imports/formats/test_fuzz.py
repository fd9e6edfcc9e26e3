"""Every reader, fed damaged files: no crash, no partial import, rejected rows reported, accepted + rejected = read.

A new format fails these tests until ``corpus.py`` has valid files of it.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core.database import TenantRef, tenant_session
from core.errors import Invalid
from tenants.imports import repository
from tenants.imports.mapping import Mapping, parse_mapping
from tenants.imports.reading.reader import Position, detect, formats, reader
from tenants.imports.reading.sources import Source
from tests.tenants.imports.conftest import RunImport, rows

from .corpus import CORPUS
from .damage import damaged

EXAMPLES = 40
IMPORTS = 3
RECORDS = (
    "patients", "patient_states", "visits", "encounters", "observations", "dispensations", "appointments", "contacts",
    "radet_snapshots",
)  # fmt: skip
CALM = settings(
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),  # a smaller seed does not mean simpler damage
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@cache
def sound_files(name: str) -> tuple[tuple[str, bytes], ...]:
    """The sound files of a format: name and bytes."""
    with tempfile.TemporaryDirectory() as folder:
        return tuple((path.name, path.read_bytes()) for path in CORPUS[name].make(Path(folder)))


@cache
def mapping_of(name: str) -> Mapping:
    return parse_mapping(CORPUS[name].mapping or "{}")


def harmed(name: str, seed: int) -> list[tuple[str, bytes]]:
    """The files of a format, one of them damaged according to the seed."""
    by = Random(seed)  # noqa: S311 - damage, not secrets
    files = list(sound_files(name))
    at = by.randrange(len(files))
    files[at] = (files[at][0], damaged(files[at][1], by))
    return files


def as_sources(files: list[tuple[str, bytes]]) -> list[Source]:
    return [Source(name, lambda data=data: io.BytesIO(data), len(data)) for name, data in files]


def test_every_format_has_sound_files_and_no_other() -> None:
    assert set(CORPUS) == set(formats()), "give each format valid files in CORPUS of corpus.py beside this test"


@pytest.mark.parametrize("name", sorted(formats()))
def test_sound_files_are_detected_and_read_whole(name: str) -> None:
    sources = as_sources(list(sound_files(name)))
    readings = list(reader(name).read(sources, mapping_of(name)))
    assert detect(sources).name == name
    assert readings
    assert not [bad for reading in readings for bad in reading.rejections]
    middle = readings[len(readings) // 2]
    rest = list(reader(name).read(sources, mapping_of(name), after=Position(middle.file, middle.line)))
    assert [(reading.file, reading.line) for reading in rest] == [
        (reading.file, reading.line) for reading in readings[len(readings) // 2 + 1 :]
    ]


@pytest.mark.parametrize("name", sorted(formats()))
@settings(CALM, max_examples=EXAMPLES)
@given(seed=st.integers(0, 2**32))
def test_a_damaged_file_gives_readings_or_an_error_with_a_remedy(name: str, seed: int) -> None:
    sources, chosen = as_sources(harmed(name, seed)), reader(name)
    for act in (
        lambda: detect(sources),
        lambda: chosen.data_date(sources, mapping_of(name)),
        lambda: checked(chosen.read(sources, mapping_of(name))),
    ):
        sentence = None
        try:
            act()
        except Invalid as rejected:
            sentence = rejected.remedy
        assert sentence is None or sentence


def checked(readings: Iterator) -> None:
    """Assert that rows come in order, none twice, and none empty."""
    last = (-1, 0)
    for reading in readings:
        assert (reading.file, reading.line) > last
        last = (reading.file, reading.line)
        assert reading.left_out or reading.facts or reading.rejections
        assert all(bad.field and bad.problem and bad.remedy for bad in reading.rejections)


@pytest.mark.parametrize("name", sorted(formats()))
@settings(CALM, max_examples=IMPORTS)
@given(seed=st.integers(0, 2**32))
def test_a_damaged_file_is_imported_in_part_with_a_report_or_not_at_all(
    name: str, seed: int, module_tenant: TenantRef, run_import: RunImport
) -> None:
    before = counted(module_tenant)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for file, data in harmed(name, seed):
            paths.append(Path(folder, file))
            paths[-1].write_bytes(data)
        fixture = CORPUS[name]
        try:
            summary = run_import(module_tenant, paths, mapping_of(name), data_date=fixture.data_date, format_name=name)
        except Invalid:
            summary = None
    with tenant_session(module_tenant, actor="test:1") as session:
        assert rows(session, "SELECT count(*) FROM import_staging") == [(0,)]
        if summary is not None:
            reported = {(file, line) for file, line, *_ in repository.rejections(session, summary.id)}
    if summary is None:
        assert counted(module_tenant) == before
        return
    assert summary.rows_rejected + summary.rows_in_part == len(reported)
    assert summary.rows_accepted + summary.rows_rejected + summary.rows_waiting == summary.rows_read
    assert all(problem["problem"] and problem["remedy"] for problem in summary.problems)


def counted(tenant: TenantRef) -> list[int]:
    """Rows in the records."""
    with tenant_session(tenant, actor="test:1") as session:
        return [rows(session, f"SELECT count(*) FROM {table}")[0][0] for table in RECORDS]  # noqa: S608 - ours
