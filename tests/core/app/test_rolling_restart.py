"""A rolling restart loses no request: the server that stops says so, serves on for a while, and then ends."""

import http.client
import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from threading import Event, Thread

from tests.waiting import PATIENCE, wait_until

SERVE = (
    "from core.app import commands, factory; from core.feature import feature\n"
    "made = factory.create_app; factory.create_app = lambda: made([feature])\n"
    "commands.serve(['--port', '0'])"
)
DRAIN = "1.0"


class Client(Thread):
    """Asks the servers in turn, those that are ready, and notes what it lost."""

    def __init__(self, ports):
        super().__init__(daemon=True)
        self.ended, self.served, self.lost = Event(), dict.fromkeys(ports, 0), []
        self.unready = set()

    def run(self):
        connections = {}
        while not self.ended.is_set():
            for port in self.served:
                if not self._is_ready(port):
                    continue
                for _ in range(20):
                    self._ask(port, connections)
        for connection in connections.values():
            connection.close()

    def _is_ready(self, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", "/health/ready")
            ready = connection.getresponse().status == 200
        except OSError:
            return False
        else:
            if not ready:
                self.unready.add(port)
            return ready
        finally:
            connection.close()

    def _ask(self, port, connections):
        connection = connections.setdefault(port, http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE))
        try:
            connection.request("GET", "/openapi.json" if self.served[port] % 5 == 0 else "/")
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            self.served[port] += 1
        except (OSError, http.client.HTTPException, AssertionError) as error:
            self.lost.append(repr(error))
            connection.close()


def test_a_client_that_follows_readiness_loses_no_request(database, tmp_path, monkeypatch):
    monkeypatch.setenv("IIT_DRAIN_SECONDS", DRAIN)
    with ExitStack() as stack:
        servers = {}
        for name in ("one", "two"):
            log = tmp_path / name
            out = stack.enter_context(log.open("wb"))
            server = stack.enter_context(subprocess.Popen([sys.executable, "-c", SERVE], stderr=out))
            stack.callback(server.kill)
            servers[name] = (server, log)

        def ports():
            matches = [re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text()) for _, log in servers.values()]
            return [int(match[1]) for match in matches] if all(matches) else None

        client = Client(wait_until(ports, "the servers did not say where"))
        first, second = client.served
        client.start()
        wait_until(lambda: min(client.served.values()) >= 40, "the servers did not answer")
        servers["one"][0].send_signal(signal.SIGTERM)
        assert servers["one"][0].wait(PATIENCE) == 0
        before = client.served[second]
        wait_until(lambda: client.served[second] >= before + 40, "the other server did not go on")
        client.ended.set()
        client.join(PATIENCE)
        assert client.lost == []
        assert client.unready == {first}, "the server did not say that it stops before it closed its port"
        assert client.served[first] >= 40
        assert "drains" in servers["one"][1].read_text()
