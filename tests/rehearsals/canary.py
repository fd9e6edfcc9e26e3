"""Rehearses roll-outs by ``iit release canary``: HAProxy, two real API processes, clients, good and bad versions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

from core.errors import Unavailable
from core.releases.balancer import Balancer
from core.settings import CHECKOUT
from tests.debian import environment, program
from tests.rehearsals.clients import Clients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CONFIGURATION = CHECKOUT / "docs" / "examples" / "haproxy-canary.cfg"
KINDS = ("good", "errors", "slow", "death", "stillborn")
PATHS = ("/v1/me", "/", "/v1/keys")
STEPS = "5,20,50"
STEP_SECONDS = 8.0
LOOK_SECONDS = 1.0
FEWEST = 15
"""Requests that a step needs: few, so that a rehearsal takes a minute."""

PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one roll-out.

    Attributes:
        requests: of the clients, while the roll-out ran.
        failed: of the clients' requests.
        share: largest share of the requests that the new version got, in per cent.
        after: requests of the new version in the seconds after the end.
    """

    kind: str
    state: str
    reason: str
    seconds: float
    share: int
    requests: int
    failed: int
    new_requests: int
    new_failed: int
    after: int
    failed_after: int


def free_port() -> int:
    """Return a port that was free a moment ago."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def process(arguments: list[str], log: Path, more: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends."""
    with (
        log.open("wb") as out,
        subprocess.Popen(
            arguments, stdout=out, stderr=out, env={**os.environ, **(more or {})}, cwd=CHECKOUT
        ) as running,
    ):
        try:
            yield running
        finally:
            running.send_signal(signal.SIGTERM)
            try:
                running.wait(15)
            except subprocess.TimeoutExpired:
                running.kill()


@contextmanager
def version(kind: str, port: int, metrics: int, folder: Path) -> Iterator[None]:
    """Serve a version, ready."""
    arguments = [sys.executable, "-m", "tests.rehearsals.faulty_version", kind, str(port)]
    more = {"IIT_METRICS_PORT": str(metrics), "IIT_METRICS_HOST": "127.0.0.1"}
    with process(arguments, folder / f"{kind}.log", more) as running:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=10):
                    break
            except OSError as error:
                if running.poll() is not None or time.monotonic() > until:
                    message = f"the version {kind} did not become ready: {(folder / f'{kind}.log').read_text()[-800:]}"
                    raise RuntimeError(message) from error
                time.sleep(0.3)
        yield


def rehearse(kinds: tuple[str, ...], key: str) -> Iterator[Result]:
    """Roll versions out beside a good one, one after the other, under load."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="iit-canary-")))
        edge, blue, green, blue_metrics, green_metrics = (free_port() for _ in range(5))
        admin = folder / "admin.sock"
        addresses = {"IIT_EDGE": edge, "IIT_BLUE": blue, "IIT_GREEN": green}
        more = {name: f"127.0.0.1:{port}" for name, port in addresses.items()} | {"IIT_ADMIN_SOCKET": str(admin)}
        haproxy = [str(program("haproxy")), "-db", "-f", str(CONFIGURATION)]
        arguments = [
            sys.executable, "-m", "core.cli", "release", "canary", "green", f"http://127.0.0.1:{green}",
            "--from", "blue", "--socket", str(admin), "--metrics", f"http://127.0.0.1:{green_metrics}",
            "--old-metrics", f"http://127.0.0.1:{blue_metrics}", "--steps", STEPS, "--fewest", str(FEWEST),
            "--step-seconds", str(STEP_SECONDS), "--look-seconds", str(LOOK_SECONDS), "--wait", "30", "--json",
        ]  # fmt: skip
        stack.enter_context(version("stable", blue, blue_metrics, folder))
        stack.enter_context(process(haproxy, folder / "haproxy.log", environment() | more))
        balancer = Balancer(admin, "iit")
        for kind in kinds:
            with version(kind, green, green_metrics, folder):
                _wait(lambda: all(balancer.served(name).up for name in ("blue", "green")))
                balancer.shift("blue", "green", 0)
                with Clients(edge, PATHS, key) as clients:
                    expected = ["--version", "9.9.9"] if kind == "stillborn" else []
                    yield _roll_out(kind, [*arguments, *expected], clients)


def _wait(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with suppress(Unavailable):
            if condition():
                return
        time.sleep(0.2)
    message = "HAProxy did not see both versions in time"
    raise RuntimeError(message)


def _roll_out(kind: str, arguments: list[str], clients: Clients) -> Result:
    time.sleep(3)
    before = clients.requests, clients.failed
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=2 * PATIENCE, cwd=CHECKOUT)
    during = clients.requests, clients.failed
    if not done.stdout:
        raise RuntimeError(done.stderr)
    outcome = json.loads(done.stdout)
    assert (done.returncode == 0) == (outcome["state"] == "promoted"), outcome
    return _result(kind, outcome, clients, before, during)


def _result(
    kind: str, outcome: dict[str, object], clients: Clients, before: tuple[int, int], during: tuple[int, int]
) -> Result:
    time.sleep(3)
    return Result(
        kind=kind,
        state=str(outcome["state"]),
        reason=str(outcome["reason"]),
        seconds=round(float(str(outcome["seconds"])), 1),
        share=int(str(outcome["share"])),
        requests=during[0] - before[0],
        failed=during[1] - before[1],
        new_requests=int(str(outcome["requests"])),
        new_failed=int(str(outcome["failed"])),
        after=clients.requests - during[0],
        failed_after=clients.failed - during[1],
    )


ENDS = {"good": "promoted", "errors": "rolled back", "slow": "rolled back", "death": "rolled back"}
"""Kind of the new version -> how its roll-out must end; every other is rejected by its smoke test."""


IN_FLIGHT = {"death": 4}
"""Kind -> requests that it may break off by dying, at most one of each client. HAProxy counts none for the server."""


def faults(result: Result) -> list[str]:
    """Return what went wrong in a roll-out: another end, or failed requests beyond the new version's share."""
    wrong = []
    wanted = ENDS.get(result.kind, "rejected")
    if result.state != wanted:
        wrong.append(f"{result.kind}: {result.state}, not {wanted} ({result.reason})")
    if result.failed > result.new_failed + IN_FLIGHT.get(result.kind, 0):
        wrong.append(f"{result.kind}: {result.failed} requests failed, but only {result.new_failed} at the new version")
    if wanted != "promoted" and result.new_requests > result.requests * result.share / 100 + 5:
        wrong.append(f"{result.kind}: it got {result.new_requests} of {result.requests}, more than {result.share} %")
    if result.failed_after:
        wrong.append(f"{result.kind}: {result.failed_after} requests failed after the end")
    return wrong


def table(results: list[Result]) -> list[str]:
    """Return the figures as a table."""
    lines = [
        "| new version | end | seconds | largest share | requests | of them to it | failed | failed after the end |",
        "|---|---|---|---|---|---|---|---|",
    ]
    words = {
        "good": "good",
        "errors": "fails 20 % of its requests",
        "slow": "answers 30 % of its requests a second later",
        "death": "dies after 60 requests",
        "stillborn": "is another version than expected",
    }
    return lines + [
        f"| {words[each.kind]} | {each.state} | {each.seconds:.0f} | {each.share} % | {each.requests:,} |"
        f" {each.new_requests:,} | {each.failed:,} | {each.failed_after:,} of {each.after:,} |"
        for each in results
    ]
