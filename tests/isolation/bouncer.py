"""A PgBouncer of the test's own in front of the run's PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from core.services.account import server_account
from tests.debian import environment, program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.services import Endpoints


@contextlib.contextmanager
def bouncer(services: Endpoints, *, pool_size: int) -> Iterator[str]:
    """Run it in transaction mode; gives the application's address through it."""
    executable = program("pgbouncer")
    url = make_url(services.database_url)
    account = server_account(Path("/nonexistent"))
    with tempfile.TemporaryDirectory(prefix="iit-bouncer-") as base:
        folder = Path(base)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        host = url.host or url.query.get("host")
        (folder / "users.txt").write_text(f'"{url.username}" "{url.password}"\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n{url.database} = host={host} port={url.port or 5432} dbname={url.database}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {folder}/users.txt\npool_mode = transaction\n"
            f"default_pool_size = {pool_size}\nmax_client_conn = 50\nlogfile = {folder}/log\n"
        )
        for path in (folder, *folder.iterdir()):
            account.own(path)
        who = {"user": account.uid, "group": account.gid, "extra_groups": []} if account.switch else {}
        process = subprocess.Popen(
            [executable, folder / "pgbouncer.ini"],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **who,
        )
        try:
            _wait(port, process)
            through = url.set(host="127.0.0.1", port=port, query={})
            yield through.render_as_string(hide_password=False)
        finally:
            process.terminate()
            process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert process.poll() is None, "PgBouncer ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    pytest_exit = f"PgBouncer does not answer (pid {process.pid}, user {os.geteuid()})"
    raise AssertionError(pytest_exit)
