"""pg_dump and pg_restore of one tenant's schema, as streams."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, BinaryIO, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from core import scratch
from core.database.scope import OPAQUE_NAME
from core.errors import Conflict, Unavailable
from core.services.programs import client_program
from core.tenancy.shape import CHANGES

if TYPE_CHECKING:
    from collections.abc import Iterator

PLANNER = "-c enable_nestloop=off"
"""The option that keeps pg_dump fast: servers may plan its query for dependencies as nested loops.

That takes a minute among 1,000 tenants, and seconds with this option. docs/benchmarks/backup.md has the figures.
"""

_COPY = re.compile(rb"COPY (?P<schema>\S+?)\.(?P<table>\S+) \((?P<columns>.*)\) FROM stdin;\n")
_SKIPPED = (b"SET ", b"\\restrict ", b"\\unrestrict ", b"SELECT pg_catalog.set_config('search_path'")
"""The beginnings of lines in the script that are meant for psql, or set what the transaction sets itself."""

_PIECE = 1 << 18


def environment(url: str, *, planner: bool = True) -> dict[str, str]:
    """The environment for pg_dump: the password, which a command line would show, and the planner's option."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    password = conninfo_to_dict(url).get("password") or ""
    options = {"PGOPTIONS": PLANNER} if planner else {}
    return {**inherited, "PGPASSWORD": str(password), "PGCONNECT_TIMEOUT": "10", "LC_ALL": "C", **options}


def dump_command(url: str, schema: str, snapshot: str | None) -> list[str]:
    """Return the command line of pg_dump for one schema, as of an exported snapshot if one is named."""
    where = {name: str(value) for name, value in conninfo_to_dict(url).items() if name != "password"}
    command = [str(client_program("pg_dump")), "--format=custom", "--compress=gzip:1", f"--schema={schema}"]
    command += ["--no-owner", "--lock-wait-timeout=60s", f"--exclude-table={schema}.{CHANGES}"]
    command += [f"--snapshot={snapshot}"] if snapshot else []
    return [*command, f"--dbname={make_conninfo(**where)}"]


class _Output(io.RawIOBase):
    """The output of a program. Its end counts only if the program succeeded."""

    def __init__(self, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        super().__init__()
        self._process, self._errors = process, errors

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer; 0 at the end.

        Raises:
            Unavailable: the program failed.
        """
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # a buffer, as RawIOBase says
        data = self._process.stdout.read(len(view)) if self._process.stdout else b""
        view[: len(data)] = data
        if not data and len(view) and self._process.wait():
            raise _failed("pg_dump", self._errors)
        return len(data)


@contextmanager
def dumped(url: str, schema: str, snapshot: str | None = None) -> Iterator[BinaryIO]:
    """Open the output of pg_dump for a schema. Reading to the end raises ``Unavailable`` if pg_dump failed."""
    with scratch.nameless() as errors:
        process = subprocess.Popen(  # noqa: S603 - our own fixed program
            dump_command(url, schema, snapshot), stdout=subprocess.PIPE, stderr=errors, env=environment(url)
        )
        try:
            yield cast("BinaryIO", _Output(process, errors))
        finally:
            _end(process)


def load(connection: psycopg.Connection[Any], dump: BinaryIO, schema: str, new_schema: str) -> None:
    """Load a dump into a schema of another name, whose role exists, within the connection's transaction.

    Both names are opaque and of one form, so replacing one by the other outside of data is exact. Data pass unchanged.

    Raises:
        ValueError: a name is not that of a tenant's schema.
        Conflict: the dump holds objects outside of the tenant's schema.
        Unavailable: pg_restore cannot read the dump.
    """
    for name in (schema, new_schema):
        if not OPAQUE_NAME.fullmatch(name):
            message = f"{name!r} is not a tenant's schema"
            raise ValueError(message)
    command = [str(client_program("pg_restore")), "--no-owner", "--file=-"]
    with scratch.nameless() as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)  # noqa: S603
        faults: list[BaseException] = []
        feeding = threading.Thread(target=_feed, args=(dump, process.stdin, faults), daemon=True)
        feeding.start()
        try:
            connection.execute("SELECT set_config('search_path', '', true)")
            _run_script(connection, cast("IO[bytes]", process.stdout), schema.encode(), new_schema.encode())
            process.wait()
        finally:
            _end(process)
            feeding.join()
        if faults:
            raise faults[0]
        if process.returncode:
            raise _failed("pg_restore", errors)
    _forget_changes(connection, new_schema)


def _run_script(connection: psycopg.Connection[Any], script: IO[bytes], schema: bytes, new_schema: bytes) -> None:
    """Run the script of pg_restore: statements one by one, data by COPY."""
    pending: list[bytes] = []
    for line in script:
        copy = _COPY.fullmatch(line)
        if copy is None:
            if not line.startswith(_SKIPPED):
                pending.append(line)
            continue
        if copy["schema"].strip(b'"') != schema:
            detail = "the dump holds a table that is not of the tenant's schema"
            raise Conflict(detail)
        _run(connection, pending, schema, new_schema)
        with connection.cursor() as cursor, cursor.copy(line.rstrip(b";\n").replace(schema, new_schema)) as rows:
            for row in script:
                if row == b"\\.\n":
                    break
                rows.write(row)
    _run(connection, pending, schema, new_schema)


def _run(connection: psycopg.Connection[Any], pending: list[bytes], schema: bytes, new_schema: bytes) -> None:
    statements = b"".join(pending).replace(schema, new_schema)
    pending.clear()
    if statements.strip():
        connection.execute(statements)


def _forget_changes(connection: psycopg.Connection[Any], schema: str) -> None:
    """Remove the triggers that record changes from a dump written during a move. The restored tenant is not moving."""
    connection.execute(
        sql.SQL("DROP FUNCTION IF EXISTS {} CASCADE").format(sql.Identifier(schema, "move_capture")),
    )
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(schema, CHANGES)))


def _feed(source: BinaryIO, target: IO[bytes] | None, faults: list[BaseException]) -> None:
    if target is None:
        return
    try:
        with target:
            shutil.copyfileobj(source, target, _PIECE)
    except BrokenPipeError:
        return  # pg_restore ended early; its exit code says why
    except BaseException as error:  # noqa: BLE001 - raised again where it can be answered
        faults.append(error)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process, however the block ended."""
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdout,):
        if stream is not None:
            stream.close()


def _failed(name: str, errors: IO[bytes]) -> Unavailable:
    """Return an error with the last lines of the program's output. They name tables and files, never values."""
    errors.seek(0)
    lines = [line.strip() for line in errors.read(64_000).decode(errors="replace").splitlines() if line.strip()]
    last = next((line for line in lines if "error:" in line), lines[-1] if lines else "it printed nothing")
    return Unavailable(f"{name} failed: {last}", remedy="check that the database runs, and that the file is complete")
