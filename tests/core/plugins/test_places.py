"""Places of files: what is listed and fetched, and what is never reached."""

from __future__ import annotations

import errno
import io
import os
import socket
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Thread
from types import SimpleNamespace
from uuid import uuid4

import paramiko
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import now
from core.outgoing import sender
from core.plugins import places
from core.plugins.catalogue import find_offer
from core.plugins.places import PlaceError, folders, sftp, signing
from core.plugins.settings_schema import with_marks
from core.plugins.usable_instances import UsableInstance
from core.settings import get_settings
from plugins.sdk import HttpRequest, Location
from tests.vendors.buckets import Bucket
from tests.vendors.files import FileServer
from tests.vendors.sftp import SftpServer

LARGEST = 4096


def opened(tenant, plugin, settings, *, hosts=None):
    offer = find_offer("importer", plugin)
    names = {name for name, each in offer.schema["properties"].items() if each.get("writeOnly")}
    secrets = {name: value for name, value in settings.items() if name in names}
    plain = {name: value for name, value in settings.items() if name not in names}
    shown = with_marks(offer.schema, plain, secrets)
    return UsableInstance(tenant, uuid4(), offer, shown, secrets, hosts)


@contextmanager
def place_of(tenant, plugin, settings, **more):
    instance = opened(tenant, plugin, settings, **more)
    with places.open_place(instance, instance.call("look", instance.settings, now())) as place:
        yield place


def reason_of(tenant, plugin, settings, **more):
    with pytest.raises(PlaceError) as error, place_of(tenant, plugin, settings, **more) as place:
        place.entries(10)
    return error.value.reason


def allow(monkeypatch, roots):
    settings = get_settings().model_copy(update={"import_folders": roots})
    monkeypatch.setattr(folders, "get_settings", lambda: settings)


def fetched(place, entry, largest=LARGEST):
    into = io.BytesIO()
    place.fetch(entry, into, largest=largest)
    return into.getvalue()


def read_all(tenant, plugin, settings, **more):
    with place_of(tenant, plugin, settings, **more) as place:
        return {entry.name: fetched(place, entry) for entry in place.entries(10)}


class TestFolders:
    @pytest.fixture
    def folder(self, module_tenant, tmp_path, monkeypatch):
        allow(monkeypatch, f"/nowhere, {tmp_path}")
        folder = tmp_path / module_tenant.slug / "out"
        folder.mkdir(parents=True)
        return folder

    def test_its_files_are_listed_and_fetched(self, module_tenant, folder):
        (folder / "a.csv").write_bytes(b"a,b\n")
        (folder / "below").mkdir()

        assert read_all(module_tenant, "folder", {"folder": str(folder)}) == {"a.csv": b"a,b\n"}

    def test_no_link_and_no_pipe_is_followed(self, module_tenant, folder, tmp_path):
        (tmp_path / "other.csv").write_text("another tenant's")
        (folder / "link.csv").symlink_to(tmp_path / "other.csv")
        os.mkfifo(folder / "pipe.csv")
        (folder.parent / "linked").symlink_to(tmp_path)

        assert read_all(module_tenant, "folder", {"folder": str(folder)}) == {}
        assert reason_of(module_tenant, "folder", {"folder": f"{folder.parent}/linked"}) == "folder_not_allowed"

    @pytest.mark.parametrize(
        "path", ["/etc", "{root}", "{root}/another-tenant", "{root}/{slug}/../another-tenant", "{root}/{slug}-b"]
    )
    def test_no_other_folder_is_allowed(self, module_tenant, folder, tmp_path, path):
        (tmp_path / "another-tenant").mkdir()
        (tmp_path / f"{module_tenant.slug}-b").mkdir()
        address = path.format(root=tmp_path, slug=module_tenant.slug)

        assert reason_of(module_tenant, "folder", {"folder": address}) == "folder_not_allowed"

    def test_without_the_setting_no_folder_is_allowed(self, module_tenant, folder, monkeypatch):
        allow(monkeypatch, "")

        assert reason_of(module_tenant, "folder", {"folder": str(folder)}) == "folder_not_allowed"

    def test_a_file_that_changes_is_not_fetched(self, module_tenant, folder):
        (folder / "a.csv").write_text("old")
        with place_of(module_tenant, "folder", {"folder": str(folder)}) as place:
            (entry,) = place.entries(10)
            (folder / "a.csv").write_text("longer")
            with pytest.raises(PlaceError, match="changed"):
                fetched(place, entry)
            (folder / "a.csv").unlink()
            with pytest.raises(PlaceError, match="not_found"):
                fetched(place, entry)

    def test_bounds_of_number_and_size(self, module_tenant, folder):
        for name in "abc":
            (folder / name).write_bytes(b"x" * 11)
        with place_of(module_tenant, "folder", {"folder": str(folder)}) as place:
            with pytest.raises(PlaceError, match="too_many_files"):
                place.entries(2)
            with pytest.raises(PlaceError, match="too_large"):
                fetched(place, place.entries(3)[0], largest=10)


class TestBuckets:
    @pytest.fixture
    def bucket(self):
        with Bucket({"daily/a b+c.csv": b"a", "daily/older/x.csv": b"no", "b.csv": b"no"}) as bucket:
            yield bucket

    def test_the_files_of_a_folder_are_listed_page_by_page_and_fetched(self, module_tenant, bucket):
        bucket.files |= {"daily/ü.csv": b"b", "daily/c.csv": b""}
        bucket.page = 1

        assert read_all(module_tenant, "s3", bucket.settings) == {"a b+c.csv": b"a", "ü.csv": b"b", "c.csv": b""}

    @pytest.mark.parametrize(("changes", "reason"), [
        ({"secret_key": "wrong-secret"}, "access_denied"),
        ({"key_id": "another"}, "access_denied"),
        ({"region": "us-east-1"}, "wrong_region"),
        ({"endpoint": "http://10.0.0.1"}, "address_not_allowed"),
        ({"endpoint": "https://169.254.169.254"}, "address_not_allowed"),
    ])  # fmt: skip
    def test_what_is_wrong_is_said(self, module_tenant, bucket, changes, reason):
        assert reason_of(module_tenant, "s3", {**bucket.settings, **changes}) == reason

    def test_secrets_go_to_no_host_that_the_settings_do_not_name(self, module_tenant, bucket):
        assert reason_of(module_tenant, "s3", bucket.settings, hosts=["example.org"]) == "address_not_allowed"
        assert bucket.calls == []

    def test_garbage_is_no_listing(self, module_tenant, bucket):
        bucket.babble()
        assert reason_of(module_tenant, "s3", bucket.settings) == "bad_answer"
        bucket.fail(200, b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")
        assert reason_of(module_tenant, "s3", bucket.settings) == "bad_answer"

    def test_a_listing_without_end_ends(self, module_tenant, bucket):
        page = b"<L><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken></L>"
        bucket.fail(200, page, times=100)

        assert reason_of(module_tenant, "s3", bucket.settings) == "too_many_files"
        assert len(bucket.calls) <= 50

    def test_an_object_that_changed_since_the_listing_is_not_fetched(self, module_tenant, bucket):
        with place_of(module_tenant, "s3", bucket.settings) as place:
            (entry,) = place.entries(10)
            bucket.files["daily/a b+c.csv"] = b"newer"
            with pytest.raises(PlaceError, match="changed"):
                fetched(place, entry)

    def test_amazons_own_examples_of_signatures(self):
        common = {
            "host": "examplebucket.s3.amazonaws.com",
            "region": "us-east-1",
            "key_id": "AKIAIOSFODNN7EXAMPLE",
            "secret": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "moment": datetime(2013, 5, 24, tzinfo=UTC),
        }
        one = signing.signed_headers(path="/test.txt", query={}, headers={"Range": "bytes=0-9"}, **common)
        two = signing.signed_headers(path="/", query={"max-keys": "2", "prefix": "J"}, headers={}, **common)

        assert one["authorization"].endswith("f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
        assert two["authorization"].endswith("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")


class TestSftp:
    @pytest.fixture
    def server(self, tmp_path):
        with SftpServer(tmp_path) as server:
            yield server

    def test_files_are_listed_and_fetched(self, module_tenant, server, tmp_path):
        content = os.urandom(1_200_000)
        (tmp_path / "a.csv").write_bytes(content)
        (tmp_path / "below").mkdir()
        (tmp_path / "link.csv").symlink_to("/etc/passwd")
        with place_of(module_tenant, "sftp", server.settings) as place:
            (entry,) = place.entries(10)
            assert fetched(place, entry, largest=2_000_000) == content
            with pytest.raises(PlaceError, match="too_large"):
                fetched(place, entry)

    def test_a_private_key_signs_in(self, module_tenant, server, tmp_path):
        (tmp_path / "a.csv").write_text("a")
        server.key, server.password = paramiko.ECDSAKey.generate(), None
        text = io.StringIO()
        server.key.write_private_key(text)
        settings = {name: value for name, value in server.settings.items() if name != "password"}

        assert read_all(module_tenant, "sftp", {**settings, "key": text.getvalue()}) == {"a.csv": b"a"}
        assert reason_of(module_tenant, "sftp", {**settings, "key": "no key"}) == "bad_settings"

    @pytest.mark.parametrize("other", [paramiko.ECDSAKey.generate(), paramiko.RSAKey.generate(2048)])
    def test_a_server_with_another_key_gets_no_password(self, module_tenant, server, other):
        pinned = {"host_key": f"{other.get_name()} {other.get_base64()}"}

        assert reason_of(module_tenant, "sftp", {**server.settings, **pinned}) == "wrong_host_key"
        assert server.sign_ins == 0

    @pytest.mark.parametrize(("changes", "reason"), [
        ({"password": "wrong"}, "access_denied"),
        ({"path": "nowhere"}, "not_found"),
        ({"host": "169.254.169.254"}, "address_not_allowed"),
        ({"host_key": "ssh-unknown AAAA"}, "bad_settings"),
    ])  # fmt: skip
    def test_what_is_wrong_is_said(self, module_tenant, server, changes, reason):
        assert reason_of(module_tenant, "sftp", {**server.settings, **changes}) == reason

    def test_no_server_at_the_port(self, module_tenant, server):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        assert reason_of(module_tenant, "sftp", {**server.settings, "port": port}) == "no_connection"

    def test_a_server_that_says_nothing_is_given_up(self, module_tenant, server, monkeypatch):
        monkeypatch.setattr(sftp, "_CONNECT_SECONDS", 0.2)
        server.is_silent = True

        assert reason_of(module_tenant, "sftp", server.settings) == "timeout"

    def test_a_transfer_beyond_the_time_limit_is_a_timeout(self):
        def ended(*_):
            raise OSError("Socket is closed")

        folder = sftp.SftpFolder(SimpleNamespace(listdir_iter=ended), "/")
        for until, reason in ((folder._until, "bad_answer"), (0, "timeout")):
            folder._until = until
            with pytest.raises(PlaceError, match=reason):
                folder.entries(1)

    def test_a_file_that_ends_early_is_not_fetched(self, module_tenant, server, tmp_path):
        (tmp_path / "a.csv").write_bytes(b"x" * 100)
        server.shortens = 1
        with place_of(module_tenant, "sftp", server.settings) as place, pytest.raises(PlaceError, match="changed"):
            fetched(place, place.entries(10)[0])

    def test_bounds_of_number(self, module_tenant, server, tmp_path):
        for name in "abc":
            (tmp_path / name).touch()
        with (
            place_of(module_tenant, "sftp", server.settings) as place,
            pytest.raises(PlaceError, match="too_many_files"),
        ):
            place.entries(2)


class FullDisk(io.BytesIO):
    def write(self, _):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("plugin", ["folder", "sftp"])
def test_a_full_disk_of_this_machine_is_no_fault_of_the_place(module_tenant, monkeypatch, tmp_path, plugin):
    allow(monkeypatch, str(tmp_path))
    path = tmp_path / module_tenant.slug
    path.mkdir()
    (path / "a.csv").write_bytes(b"a")
    with SftpServer(path) as server:
        settings = server.settings if plugin == "sftp" else {"folder": str(path)}
        with place_of(module_tenant, plugin, settings) as place:
            (entry,) = place.entries(10)
            with pytest.raises(PlaceError, match="no_space"):
                place.fetch(entry, FullDisk(), largest=LARGEST)


class TestHttps:
    @pytest.fixture
    def server(self):
        with FileServer({"/a.csv": b"a,b\n"}, token="read-only-token") as server:
            yield server

    def fetch(self, tenant, server, path="/a.csv", **changes):
        instance = opened(tenant, "https", {"url": server.url, "token": "read-only-token"})
        request = HttpRequest("GET", server.url + path, {"Authorization": "Bearer {{secret:token}}"}, **changes)
        into = io.BytesIO()
        places.fetch_request(instance, request, into, largest=LARGEST)
        return into.getvalue()

    def test_a_file_is_fetched_with_the_secret(self, module_tenant, server):
        assert self.fetch(module_tenant, server) == b"a,b\n"

    @pytest.mark.parametrize("tagged", [True, False])
    def test_a_file_is_sent_again_only_if_it_is_another_one(self, module_tenant, server, tagged):
        server.tagged = tagged
        instance = opened(module_tenant, "https", {"url": server.url, "token": "read-only-token"})
        request = HttpRequest("GET", server.url + "/a.csv", {"Authorization": "Bearer {{secret:token}}"})
        known = places.fetch_request(instance, request, io.BytesIO(), largest=LARGEST)
        into = io.BytesIO()
        assert places.fetch_request(instance, request, into, largest=LARGEST, unless=known) is None
        assert into.getvalue() == b""
        server.files["/a.csv"], server.modified = b"c,d\n", "Fri, 02 Jan 2026 00:00:00 GMT"
        newer = places.fetch_request(instance, request, into, largest=LARGEST, unless=known)
        assert (into.getvalue(), newer == known) == (b"c,d\n", False)

    def test_a_server_that_has_nothing_new_though_nothing_was_known_gave_no_file(self, module_tenant, server):
        server.fail(304)
        with pytest.raises(PlaceError, match="bad_answer"):
            self.fetch(module_tenant, server)

    def test_a_tag_that_could_not_be_sent_back_is_not_kept(self):
        assert places.Validators.of({"ETag": "x" * 201, "Last-Modified": "caf\xe9"}).conditions() == {}
        assert places.Validators.of({"etag": 'W/"1"'}).conditions() == {"If-None-Match": 'W/"1"'}

    @pytest.mark.parametrize(("fault", "reason"), [
        (lambda server: server.fail(403), "access_denied"),
        (lambda server: server.fail(404), "not_found"),
        (lambda server: server.limit(), "rate_limited"),
        (lambda server: server.fail(500), "bad_answer"),
        (lambda server: server.fail(302, Location="http://169.254.169.254/"), "bad_answer"),
        (lambda server: server.drop(), "bad_answer"),
        (lambda server: server.fail(200, b"x" * 5000), "too_large"),
        (lambda server: server.files.update({"/a.csv": b""}) or server.fail(206, b"a"), "bad_answer"),
    ])  # fmt: skip
    def test_what_goes_wrong_is_said(self, module_tenant, server, fault, reason):
        fault(server)
        with pytest.raises(PlaceError) as error:
            self.fetch(module_tenant, server)
        assert error.value.reason == reason

    @pytest.mark.parametrize(("status", "seconds"), [(429, 7200), (503, 7200), (404, None)])
    def test_the_time_that_a_busy_server_names_is_kept(self, module_tenant, server, status, seconds):
        server.fail(status, **{"Retry-After": "7200"})
        with pytest.raises(PlaceError) as error:
            self.fetch(module_tenant, server)
        assert error.value.retry_after == (None if seconds is None else timedelta(seconds=seconds))

    def test_a_server_that_hangs_is_given_up(self, module_tenant, server, monkeypatch):
        monkeypatch.setattr(sender, "_LONGEST_SILENCE", 0.2)
        server.hang()
        with pytest.raises(PlaceError, match="timeout"):
            self.fetch(module_tenant, server)

    def test_a_body_without_end_ends(self, module_tenant):
        with socket.create_server(("127.0.0.1", 0)) as listening:

            def serve():
                connection, _ = listening.accept()
                with connection:
                    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    try:
                        while True:
                            connection.sendall(b"x" * 4096)
                    except OSError:
                        return

            thread = Thread(target=serve, daemon=True)
            thread.start()
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            instance = opened(module_tenant, "https", {"url": url})
            with pytest.raises(PlaceError, match="too_large"):
                places.fetch_request(instance, HttpRequest("GET", url), io.BytesIO(), largest=LARGEST)
            thread.join()


@given(st.text(max_size=50))
def test_a_plugin_cannot_lead_the_platform_elsewhere_by_an_address(address):
    """Whatever a plugin writes as an address, nothing but an error comes of it where nothing is allowed."""
    tenant = SimpleNamespace(slug="x")
    instance = UsableInstance(tenant, uuid4(), None, {}, {}, [])
    for kind in ("folder", "s3", "sftp"):
        with pytest.raises(PlaceError), places.open_place(instance, Location(kind, address, {"secret": "x"})) as place:
            place.entries(1)
