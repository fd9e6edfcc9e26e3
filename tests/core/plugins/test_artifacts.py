from __future__ import annotations

import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.plugins import ArtifactRejected, pack, unpack
from plugins.sdk import Artifact, seal

GOOD = seal("test/1", {"model.json": b'{"a": 1}', "weights.txt": b"1 2 3" * 100})


def rebuilt(change=None, *, listing=None, extra=(), method=zipfile.ZIP_DEFLATED) -> bytes:
    """The packed artifact with some entries changed, by an attacker who can write zips."""
    with zipfile.ZipFile(io.BytesIO(pack(GOOD))) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    if listing is not None:
        content = json.loads(entries["artifact.json"])
        listing(content)
        entries["artifact.json"] = json.dumps(content).encode()
    if change is not None:
        change(entries)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in [*entries.items(), *extra]:
            archive.writestr(name, content)
    return buffer.getvalue()


def smuggle(entries):
    entries["../evil"] = entries["model.json"]


def test_what_was_packed_is_unpacked():
    assert unpack(pack(GOOD)) == GOOD
    assert unpack(rebuilt()) == GOOD


def test_the_same_artifact_gives_the_same_bytes():
    assert pack(GOOD) == pack(Artifact(GOOD.format, dict(reversed(GOOD.files.items()))))


def test_only_sealed_artifacts_are_packed():
    with pytest.raises(ArtifactRejected):
        pack(Artifact("test/1", {"model.json": b"{}"}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a zip",
        pack(GOOD)[:-30],
        rebuilt(lambda e: e.update({"model.json": b"{}"})),
        rebuilt(lambda e: e.pop("model.json")),
        rebuilt(lambda e: e.pop("artifact.json")),
        rebuilt(lambda e: e.update({"artifact.json": b"[]"})),
        rebuilt(lambda e: e.update({"artifact.json": b"{" * 70_000})),
        rebuilt(extra=[("../../etc/cron.d/evil", b"x")]),
        rebuilt(extra=[("/etc/evil", b"x")]),
        rebuilt(extra=[("folder/", b"")]),
        rebuilt(smuggle, listing=lambda c: c["files"].update({"../evil": c["files"]["model.json"]})),
        rebuilt(listing=lambda c: c.update(version=2)),
        rebuilt(listing=lambda c: c.update(format="other/1")),
        rebuilt(listing=lambda c: c["files"]["model.json"].update(size=-1)),
        rebuilt(listing=lambda c: c["files"]["model.json"].update(size=10**12)),
        rebuilt(listing=lambda c: c["files"].update({"model.json": 3})),
        rebuilt(extra=[(f"f{i}.txt", b"") for i in range(100)]),
    ],
)  # fmt: skip
def test_anything_else_is_rejected(data):
    with pytest.raises(ArtifactRejected):
        unpack(data)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_files_of_one_name_are_rejected():
    with pytest.raises(ArtifactRejected):
        unpack(rebuilt(extra=[("model.json", b"{}")]))


def test_a_bomb_is_not_unpacked():
    bomb = rebuilt(extra=[("bomb.bin", bytes(300 * 1024 * 1024))])

    assert len(bomb) < 1024 * 1024
    with pytest.raises(ArtifactRejected, match="larger"):
        unpack(bomb)


def test_a_file_that_is_larger_than_it_claims_is_not_read_on():
    data = rebuilt(lambda e: e.update({"weights.txt": bytes(10_000_000)}))

    with pytest.raises(ArtifactRejected, match="larger than it claims"):
        unpack(data)


@given(st.integers(0, len(pack(GOOD)) - 1), st.integers(1, 255))
def test_a_changed_byte_is_rejected_or_changes_nothing(position, change):
    data = bytearray(pack(GOOD))
    data[position] ^= change
    try:
        artifact = unpack(bytes(data))
    except ArtifactRejected:
        return
    assert artifact == GOOD
