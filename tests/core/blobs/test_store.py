from __future__ import annotations

import dataclasses
import hashlib
import io
import os
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlparse
from uuid import uuid4

import pytest

from core import blobs, clock
from core.blobs import store
from core.errors import Invalid, NotFound
from core.settings import get_settings


@pytest.fixture
def folder() -> Path:
    return get_settings().state_dir / "blobs"


@pytest.fixture
def stored(folder):
    def find(tenant, key: str) -> Path:
        return folder / tenant.id.hex / key

    return find


def test_bytes_and_streams_come_back(module_tenant):
    content = os.urandom(600_000)

    ref = blobs.put(module_tenant, "model.zip", content)
    other = blobs.put(module_tenant, "model.zip", io.BytesIO(content))

    assert blobs.get(module_tenant, ref.key, sha256=ref.sha256) == content
    with blobs.open(module_tenant, other.key) as stream:
        assert stream.read(10) + stream.read() == content
    assert (ref.size, ref.sha256) == (600_000, hashlib.sha256(content).hexdigest())
    assert ref.key != other.key


def test_what_is_stored_is_encrypted_and_only_the_owner_can_enter(module_tenant, stored, folder):
    ref = blobs.put(module_tenant, "upload.csv", b"Givenname,0803 123 4567\n" * 50)

    assert b"Givenname" not in stored(module_tenant, ref.key).read_bytes()
    assert folder.stat().st_mode & 0o077 == 0


def test_another_tenant_reads_nothing(two_tenants, stored):
    one, other = two_tenants
    ref = blobs.put(one, "model.zip", b"content")

    with pytest.raises(NotFound):
        blobs.get(other, ref.key)
    moved = stored(other, ref.key)
    moved.parent.mkdir(parents=True)
    moved.write_bytes(stored(one, ref.key).read_bytes())
    with pytest.raises(blobs.BlobDamaged):
        blobs.get(other, ref.key)


def test_a_blob_cannot_take_the_place_of_another(module_tenant, stored):
    good, evil = (blobs.put(module_tenant, "model.zip", content) for content in (b"good", b"evil"))
    stored(module_tenant, good.key).write_bytes(stored(module_tenant, evil.key).read_bytes())

    with pytest.raises(blobs.BlobDamaged):
        blobs.get(module_tenant, good.key)


def test_tampering_and_a_wrong_hash_are_found(module_tenant, stored):
    ref = blobs.put(module_tenant, "model.zip", b"content")

    with pytest.raises(blobs.BlobDamaged):
        blobs.get(module_tenant, ref.key, sha256="0" * 64)
    path = stored(module_tenant, ref.key)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(blobs.BlobDamaged):
        blobs.get(module_tenant, ref.key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "..",
        "keep/../../other",
        "/etc/passwd",
        "keep/" + "0" * 32,
        f"keep/{'0' * 32}-a/../../b",
        f"keep/{'0' * 32}-a..b",
        f"keep/{'0' * 32}-a\n",
        f"elsewhere/{'0' * 32}-a",
        f"keep/{'0' * 32}-absent",
    ],
)
def test_no_key_leads_out_of_the_tenants_folder(module_tenant, key):
    for call in (blobs.open, blobs.get):
        with pytest.raises(NotFound):
            call(module_tenant, key)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("model.zip", "model.zip"),
        ("Upload 1.CSV", "upload-1.csv"),
        ("../../etc/passwd", "etc-passwd"),
        ("a..b", "a.b"),
        ("", "blob"),
        ("été", "t"),
        ("x" * 200, "x" * 40),
    ],
)
def test_labels_are_plain(module_tenant, name, label):
    ref = blobs.put(module_tenant, name, b"")

    assert ref.key.endswith(f"-{label}")
    assert blobs.get(module_tenant, ref.key) == b""


def test_deleting_twice_is_deleting_once(module_tenant):
    ref = blobs.put(module_tenant, "model.zip", b"content")

    blobs.delete(module_tenant, ref.key)
    blobs.delete(module_tenant, ref.key)

    assert not blobs.exists(module_tenant, ref.key)


def test_purge_removes_what_expired_before_today_and_nothing_else(two_tenants):
    one, other = two_tenants
    with clock.frozen(datetime(2026, 3, 1, 12, tzinfo=UTC)):
        today = blobs.put(one, "a", b"1", expires_in_days=0)
        week = blobs.put(one, "b", b"22", expires_in_days=7)
        permanent = blobs.put(one, "c", b"333")
        others = blobs.put(other, "d", b"4444", expires_in_days=0)

        assert blobs.purge(one).blobs == 0
    with clock.frozen(datetime(2026, 3, 2, 0, 1, tzinfo=UTC)):
        purged = blobs.purge(one)

    assert (purged.days, purged.blobs) == (1, 1)
    assert purged.stored_bytes > 0
    assert [blobs.exists(one, ref.key) for ref in (today, week, permanent)] == [False, True, True]
    assert blobs.exists(other, others.key)
    assert blobs.purge(today=date(2026, 3, 9)).blobs == 2
    assert blobs.exists(one, permanent.key)
    with pytest.raises(NotFound):
        blobs.get(one, week.key)


def test_an_expiry_in_the_past_is_rejected(module_tenant):
    with pytest.raises(Invalid) as raised:
        blobs.put(module_tenant, "a", b"", expires_in_days=-1)

    assert raised.value.errors[0].field == "expires_in_days"


def test_a_tenant_that_leaves_takes_all_its_blobs(two_tenants):
    one, other = two_tenants
    gone, stays = (blobs.put(tenant, "a", b"x") for tenant in two_tenants)

    blobs.delete_tenant(one)
    blobs.delete_tenant(one)

    assert not blobs.exists(one, gone.key)
    assert blobs.exists(other, stays.key)


class Breaks(io.BytesIO):
    def read(self, size=-1):
        if self.tell() > 300_000:
            raise ConnectionError("upload broke off")
        return super().read(size)


def test_an_upload_that_breaks_off_leaves_nothing(two_tenants, folder):
    tenant = two_tenants[0]
    with pytest.raises(ConnectionError):
        blobs.put(tenant, "a", Breaks(bytes(900_000)))

    assert not [path for path in (folder / tenant.id.hex).rglob("*") if path.is_file()]
    assert not list((folder / "drafts").glob("*"))


def test_drafts_of_killed_processes_are_purged_after_a_day(module_tenant, folder):
    blobs.put(module_tenant, "a", b"")
    old, new = folder / "drafts" / "old", folder / "drafts" / "new"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (1, 1))

    blobs.purge()

    assert not old.exists()
    assert new.exists()
    new.unlink()


@pytest.fixture
def elsewhere(monkeypatch):
    """A store that is no folder, as an object store is none."""
    url = f"memory://blobs-{uuid4().hex}"
    monkeypatch.setattr(store, "require_shared_store", lambda **_: None)  # it is the store of this test alone
    monkeypatch.setattr(store, "get_settings", lambda: dataclasses.make_dataclass("S", ["blob_url"])(url))
    return urlparse(url).netloc


def test_any_place_that_fsspec_knows_will_do(module_tenant, elsewhere):
    import fsspec

    ref = blobs.put(module_tenant, "a", b"content" * 100, expires_in_days=0)
    with pytest.raises(ConnectionError):
        blobs.put(module_tenant, "b", Breaks(bytes(900_000)))

    assert blobs.get(module_tenant, ref.key) == b"content" * 100
    assert len(fsspec.filesystem("memory").find(f"/{elsewhere}")) == 1
    assert blobs.purge(today=date(2100, 1, 1)).blobs == 1
    assert not blobs.exists(module_tenant, ref.key)
    assert blobs.purge().blobs == 0
