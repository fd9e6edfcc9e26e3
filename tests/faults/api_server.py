"""A server of the API that comes back after each kill, and that kills itself at a step of a request.

A request names the step in the header X-Fault: 3 kills the server before the third step. Steps are the statements that
the request sends to PostgreSQL, and the moments before and after each commit. The parent forks a new server on the same
socket, so a client meets a pause and no closed port.
"""

import os
import signal
import sys
from contextvars import ContextVar
from itertools import count
from pathlib import Path

import psycopg
import uvicorn

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from core.app.factory import create_app
from core.app.server import configuration, listen

HEADER = b"x-fault"
_steps = ContextVar("steps", default=None)
_plain_execute, _plain_commit = psycopg.Cursor.execute, psycopg.Connection.commit


def step():
    """Kill this process if the request's fault is here."""
    steps = _steps.get()
    if steps is not None and next(steps[0]) == steps[1]:
        os.kill(os.getpid(), signal.SIGKILL)


def execute(cursor, *arguments, **options):
    step()
    return _plain_execute(cursor, *arguments, **options)


def commit(connection):
    step()
    _plain_commit(connection)
    step()


def main():
    app = create_app()

    async def faulty(scope, receive, send):
        named = dict(scope.get("headers", ())).get(HEADER)
        _steps.set(None if named is None else (count(1), int(named)))
        await app(scope, receive, send)

    listening = listen("127.0.0.1", 0)
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    while True:
        child = os.fork()
        if child == 0:
            psycopg.Cursor.execute, psycopg.Connection.commit = execute, commit
            uvicorn.Server(configuration(faulty)).run(sockets=[listening])
            os._exit(0)
        signal.signal(signal.SIGTERM, lambda *_, child=child: (os.kill(child, signal.SIGKILL), sys.exit(0)))
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            sys.exit("the server ended by itself")


if __name__ == "__main__":
    main()
