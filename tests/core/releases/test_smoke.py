"""Smoke tests pass against a real server, and say what is wrong with one that is not well."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import click
import pytest

from core.cli.main import run
from core.releases.asking import Asker, AskingError
from core.releases.smoke import Smoke
from tests.core.app.wire import served


@pytest.fixture(scope="module")
def address(application):
    with served(application) as port:
        yield f"http://127.0.0.1:{port}"


class Bad(BaseHTTPRequestHandler):
    """A server that answers each path as ``answers`` says; the first part of a path decides."""

    answers: ClassVar = {}
    asked: ClassVar = []

    def do_GET(self):
        self.asked.append((self.path, dict(self.headers)))
        status, headers, body = self.answers.get(self.path, (200, {}, b"hello"))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def bad():
    Bad.answers, Bad.asked = {}, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Bad) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_good_installation_passes_every_check(address, owner, tmp_path, capsys):
    key = tmp_path / "key"
    key.write_text(f"{owner.api_key}\n")
    assert run(["smoke", address, "--key-file", str(key), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["passed"]
    assert [check["check"] for check in shown["checks"]] == [
        "live",
        "ready",
        "startup",
        "sign_in",
        "assets",
        "unauthenticated",
        "unknown",
        "authenticated",
    ]
    assert all(check["state"] == "ok" and check["milliseconds"] > 0 for check in shown["checks"])


def test_a_wrong_key_and_another_version_fail_with_a_remedy(address, monkeypatch, capsys):
    monkeypatch.setenv("IIT_SMOKE_KEY", "iit_00000000000a_" + "0" * 64)
    assert run(["smoke", address, "--version", "9.9.9"]) == 1
    captured = capsys.readouterr()
    assert "not 9.9.9" in captured.out
    assert "/v1/me answers 401, not 200" in captured.out
    assert "authenticated: Check that the key is not revoked" in captured.err


def test_what_is_no_platform_fails_every_check_and_gives_remedies(bad):
    checks = Smoke(Asker(bad, seconds=5)).run()
    assert {check.state for check in checks} == {"failed"}
    assert all(check.remedy for check in checks)


def test_a_redirect_to_another_host_is_not_followed_and_one_to_https_is_skipped(bad):
    Bad.answers["/"] = (303, {"Location": "http://elsewhere.example/sign-in"}, b"")
    assert "another host, elsewhere.example" in _check(bad, "sign_in").detail
    Bad.answers["/"] = (308, {"Location": bad.replace("http:", "https:") + "/"}, b"")
    assert _check(bad, "sign_in").state == "skipped"
    Bad.answers["/"] = (303, {"Location": "/"}, b"")
    assert "redirects" in _check(bad, "sign_in").detail


def test_a_page_without_its_headers_and_files_without_reuse_fail(bad):
    page = b'<form></form><link href="https://cdn.example/assets/kit/a/kit.css">'
    Bad.answers["/"] = (200, {"Content-Type": "text/html"}, page)
    checks = {check.name: check for check in Smoke(Asker(bad, host="care.example.org")).run()}
    assert "content-security-policy" in checks["sign_in"].detail
    assert "/assets/kit/a/kit.css has Cache-Control ''" in checks["assets"].detail
    assert {headers["Host"] for _, headers in Bad.asked} == {"care.example.org"}


def test_an_answer_that_drips_ends_at_the_time_limit():
    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self):
            while not done.wait(0.05):
                self.wfile.write(b"H")

    done = threading.Event()
    with ThreadingHTTPServer(("127.0.0.1", 0), Dripping) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(AskingError, match="no answer"):
            Asker(f"http://127.0.0.1:{server.server_port}", seconds=0.3).get_once("/")
        done.set()
        server.shutdown()


@pytest.mark.parametrize("url", ["care.example.org", "https://care.example.org/today", "https://a:b@care.example.org"])
def test_an_address_is_that_of_a_server_alone(url):
    with pytest.raises(click.BadParameter):
        Asker(url)


def test_a_key_never_goes_over_plain_http_to_another_machine(monkeypatch):
    monkeypatch.setenv("IIT_SMOKE_KEY", "iit_secret")
    assert run(["smoke", "http://care.example.org"]) == 2


def _check(address, name):
    return {check.name: check for check in Smoke(Asker(address, seconds=5)).run()}[name]
