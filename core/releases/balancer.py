"""HAProxy's runtime interface: the weight of each version, and what HAProxy counted of it."""

from __future__ import annotations

import csv
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from core.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

SECONDS: Final = 5.0
_ANSWERS: Final = ("hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other")


@dataclass(frozen=True, slots=True)
class ServerCounts:
    """What HAProxy counted of one server since it started.

    Attributes:
        requests: answers, and tries that had none.
        failed: answers of the class 5xx, and tries that had no answer.
        up: whether its health checks pass.
    """

    requests: int
    failed: int
    up: bool


class Balancer:
    """One backend of a running HAProxy.

    Args:
        admin_socket: path of its ``stats socket``, with ``level admin``.
        backend: name of the backend.
    """

    def __init__(self, admin_socket: Path, backend: str) -> None:
        self._path = admin_socket
        self._backend = backend

    def shift(self, old: str, new: str, share: int) -> None:
        """Give the server ``new`` a share of new requests, in per cent; ``old`` gets the rest.

        Raises:
            Unavailable: HAProxy does not answer, or rejects the command.
        """
        for server, weight in ((new, share), (old, 100 - share)):
            self._command(f"set server {self._backend}/{server} weight {weight}")

    def served(self, server: str) -> ServerCounts:
        """Return what was counted of a server.

        Raises:
            Unavailable: HAProxy does not answer, or has no such server.
        """
        for row in csv.DictReader(self._ask("show stat").lstrip("# ").splitlines()):
            if (row["pxname"], row["svname"]) == (self._backend, server):
                # A server that breaks off counts under one of two names, depending on when it does.
                unanswered = int(row["econ"] or 0) + max(int(row["eresp"] or 0), int(row["srv_abrt"] or 0))
                requests = sum(int(row[name] or 0) for name in _ANSWERS) + unanswered
                failed = int(row["hrsp_5xx"] or 0) + unanswered
                return ServerCounts(requests, failed, row["status"].startswith(("UP", "no check")))
        detail = f"HAProxy has no server {server!r} in the backend {self._backend!r}"
        raise Unavailable(detail, remedy="name the backend and both servers as HAProxy's configuration does")

    def _command(self, command: str) -> None:
        answer = self._ask(command).strip()
        if answer:
            detail = f"HAProxy rejects {command!r}: {answer}"
            raise Unavailable(detail, remedy="let the stats socket have `level admin`, and name backend and servers")

    def _ask(self, command: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(SECONDS)
                connection.connect(str(self._path))
                connection.sendall(f"{command}\n".encode())
                parts = []
                while part := connection.recv(65536):
                    parts.append(part)
        except OSError as error:
            detail = f"HAProxy does not answer at {self._path} ({type(error).__name__})"
            raise Unavailable(detail, remedy="check that HAProxy runs, and the path of its stats socket") from None
        return b"".join(parts).decode()
