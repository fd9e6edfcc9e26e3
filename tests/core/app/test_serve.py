"""``iit serve`` as a process of its own: it serves, says where, and stops when told, its worker with it."""

import os
import re
import signal
import socket
import subprocess
import sys
from functools import partial
from urllib.request import urlopen

import pytest

from core.app.commands import Companion, _shown
from core.app.server import listen
from core.errors import Unavailable
from tests.waiting import PATIENCE, wait_until


def test_it_serves_until_it_is_told_to_stop_and_its_worker_stops_with_it(database, tmp_path):
    log, worker = tmp_path / "log", tmp_path / "pid"
    child = f"import os,time; open({str(worker)!r},'w').write(str(os.getpid())); time.sleep(600)"
    code = (
        "import sys; from core.app import commands, factory; from core.feature import feature\n"
        f"commands.WORKER = (sys.executable, '-c', {child!r})\n"
        "made = factory.create_app; factory.create_app = lambda: made([feature])\n"
        "commands.serve(['--port', '0', '--worker'])"
    )
    with log.open("wb") as out, subprocess.Popen([sys.executable, "-c", code], stderr=out) as server:
        try:
            address = wait_until(lambda: re.search(r"http://127\.0\.0\.1:\d+", log.read_text()), "it did not say where")
            ready = partial(urlopen, f"{address[0]}/health/ready")
            with wait_until(ready, "the server did not answer", ignore=(OSError,)) as answer:
                assert answer.status == 200
                assert "server" not in {name.lower() for name in answer.headers}
            pid = int(wait_until(lambda: worker.exists() and worker.read_text(), "the worker did not start"))
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert "Traceback" not in log.read_text()


def test_an_address_that_is_in_use_is_said_with_a_remedy():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Unavailable, match="in use") as rejection:
        listen("127.0.0.1", taken.getsockname()[1])
    assert "--port" in str(rejection.value.command)
    assert "another port" in rejection.value.remedy


def test_an_address_is_shown_as_a_browser_takes_it():
    with listen("127.0.0.1", 0) as listening:
        assert re.fullmatch(r"127\.0\.0\.1:[1-9]\d*", _shown(listening))


class TestCompanion:
    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch):
        monkeypatch.setattr("core.app.commands.RESTART_SECONDS", (0.01,))

    def test_it_is_stopped_with_us(self, tmp_path):
        mark = tmp_path / "pid"
        code = f"import os,time; open({str(mark)!r},'w').write(str(os.getpid())); time.sleep(600)"
        with Companion([sys.executable, "-c", code]):
            pid = int(wait_until(lambda: mark.exists() and mark.read_text(), "it did not start"))
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)

    def test_it_is_started_again_when_it_ends_by_itself(self, tmp_path):
        mark = tmp_path / "runs"
        code = f"open({str(mark)!r},'a').write('x')"
        with Companion([sys.executable, "-c", code]):
            wait_until(lambda: mark.exists() and len(mark.read_text()) >= 3, "it was not started again")
