"""Damaged documents: no crash, no partial document, and each rejection names place and remedy and quotes no value."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import TenantRef, tenant_session
from core.errors import Invalid
from tenants.imports import repository
from tenants.imports.facts import Reading
from tenants.imports.mapping import Mapping, parse_mapping
from tenants.imports.reading.reader import Position, reader
from tenants.imports.reading.sources import from_paths
from tests.tenants.imports.conftest import RunImport, rows

from .documents_of import bundle, container, location, message, ndjson, resources, zipped

SECRET = "Zq7Xw"
"""Marks values, so that a test sees when a report quotes one."""
MAPPING = parse_mapping("{time_zone: Africa/Lagos, facility: {datim_id: {constant: dat9}}}")
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(
            [
                "",
                SECRET,
                "2024-13-40",
                "1850-01-01",
                "9999-12-31T23:59:59+14:00",
                "0001-01-01T00:00:00Z",
                "\x00",
                "<20",
                "1e999",
            ]
        ),
        st.text(st.characters(codec="utf-8"), max_size=6).map(lambda text: SECRET + text),
    ),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["value", "code", "$date", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


def explained(rejected: Invalid) -> None:
    """Assert that the rejection of a whole file says what to do."""
    assert rejected.remedy


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a document."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from places(value, (*path, key))


def damaged(content: Any, data: st.DataObject) -> Any:
    """The document with one to four of its values replaced or removed."""
    content = copy.deepcopy(content)
    for _ in range(data.draw(st.integers(1, 4))):
        *path, last = data.draw(st.sampled_from(list(places(content))))
        inner = content
        for key in path:
            inner = inner[key]
        if data.draw(st.booleans()):
            inner[last] = data.draw(JUNK)
        elif isinstance(inner, dict):
            del inner[last]
        if not isinstance(content, dict) or not list(places(content)):
            break
    return content


def dumped(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False).encode("utf-8", "replace").decode()


def nmrs_file(data: st.DataObject) -> tuple[str, bytes]:
    return "1.json", dumped(damaged(container(), data)).encode()


def fhir_file(data: st.DataObject) -> tuple[str, bytes]:
    content = [damaged(one, data) for one in data.draw(st.permutations([*resources(), location()]))[:4]]
    return "1.ndjson", "\n".join(map(dumped, content)).encode()


def bundle_file(data: st.DataObject) -> tuple[str, bytes]:
    return "1.json", json.dumps(damaged(bundle([*resources(), location()]), data), indent=1).encode()


def ndr_file(data: st.DataObject) -> tuple[str, bytes]:
    text = message()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        end = text.find("<", text.find(">", at))
        begin = text.find(">", at) + 1
        if 0 < begin <= end:
            value = data.draw(st.text(st.characters(codec="utf-8", exclude_characters="<&"), max_size=6))
            text = text[:begin] + SECRET + value + text[end:]
    return "1.xml", text.encode("utf-8", "replace")


def cut(make: Callable[[], bytes], name: str) -> Callable[[st.DataObject], tuple[str, bytes]]:
    """A file with bytes cut off, changed or inserted."""

    def damaged_file(data: st.DataObject) -> tuple[str, bytes]:
        content = bytearray(make())
        del content[data.draw(st.integers(1, len(content))) :]
        for _ in range(data.draw(st.integers(0, 3))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        return name, bytes(content)

    return damaged_file


def archive() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return zipped(Path(folder) / "a.zip", {"1.json": json.dumps(container()), "2.json": "{}"}).read_bytes()


FILES = {
    "nmrs": ("nmrs-json", nmrs_file),
    "nmrs-bytes": ("nmrs-json", cut(lambda: json.dumps(container()).encode(), "1.json")),
    "nmrs-zip": ("nmrs-json", cut(archive, "1.zip")),
    "fhir": ("fhir-r4", fhir_file),
    "fhir-bundle": ("fhir-r4", bundle_file),
    "fhir-bytes": ("fhir-r4", cut(lambda: ndjson([*resources(), location()]).encode(), "1.ndjson")),
    "fhir-bundle-bytes": ("fhir-r4", cut(lambda: json.dumps(bundle(resources()), indent=1).encode(), "1.json")),
    "ndr": ("ndr-xml", ndr_file),
    "ndr-bytes": ("ndr-xml", cut(lambda: message().encode(), "1.xml")),
}


def read(name: str, path: Path, mapping: Mapping, after: Position | None = None) -> list[Reading]:
    return list(reader(name).read(from_paths([path]), mapping, after=after))


@pytest.mark.parametrize(("name", "make"), FILES.values(), ids=FILES)
@settings(
    max_examples=int(os.environ.get("FUZZ", "25")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_damage_is_rejected_with_place_and_remedy_and_never_with_a_value(
    name: str, make: Callable[[st.DataObject], tuple[str, bytes]], data: st.DataObject
) -> None:
    file, content = make(data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file
        path.write_bytes(content)
        try:
            reader(name).detect(from_paths([path])[0].head())
        except Invalid as rejected:
            explained(rejected)
        try:
            readings = read(name, path, MAPPING)
            reader(name).data_date(from_paths([path]), Mapping())
        except Invalid as rejected:
            explained(rejected)
            return
        lines = [reading.line for reading in readings]
        assert lines == sorted(set(lines))
        if len(lines) > 1:
            rest = read(name, path, MAPPING, Position(0, lines[0]))
            assert [reading.line for reading in rest] == lines[1:]
    for reading in readings:
        assert reading.facts or reading.rejections or reading.left_out
        for bad in reading.rejections:
            assert bad.field
            assert bad.remedy
            assert SECRET not in f"{bad.problem}{bad.remedy}"


@pytest.mark.parametrize("kind", ["nmrs", "fhir", "ndr"])
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_accepted_and_rejected_rows_add_up_to_the_rows_read(
    module_tenant: TenantRef, run_import: RunImport, kind: str, data: st.DataObject
) -> None:
    name, make = FILES[kind]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(3):
            file, content = make(data)
            (Path(folder) / f"{number}-{file}").write_bytes(content)
        paths = [Path(folder)]
        given_rows = sum(not reading.left_out for reading in reader(name).read(from_paths(paths), MAPPING))
        try:
            summary = run_import(module_tenant, paths, MAPPING, format_name=name)
        except Invalid as rejected:
            explained(rejected)
            return
    with tenant_session(module_tenant, actor="test:1") as session:
        reported = {(file, line) for file, line, *_ in repository.rejections(session, summary.id)}
        assert rows(session, "SELECT count(*) FROM import_staging") == [(0,)]
    assert summary.rows_read == given_rows
    assert summary.rows_rejected + summary.rows_in_part == len(reported)
    assert summary.rows_accepted + summary.rows_rejected + summary.rows_waiting == summary.rows_read
