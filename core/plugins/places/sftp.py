"""SFTP servers. The key of the server is pinned in the settings: no other server gets the password."""

from __future__ import annotations

import io
import logging
import re
import stat
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Timer
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from core.outgoing import dial
from core.plugins.filling import may_reach
from core.plugins.places.errors import SOURCES, PlaceError, is_full
from core.plugins.request_sender import meter
from core.plugins.usable_instances import UsableInstance
from plugins.sdk import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import paramiko

    from core.plugins.places.errors import Reason
    from plugins.sdk import Location

_ADDRESS: Final = re.compile(r"sftp://([A-Za-z0-9.-]{1,253})(?::([0-9]{1,5}))?(/.*)?", re.DOTALL)
_CONNECT_SECONDS: Final = 15.0
_SILENCE_SECONDS: Final = 60.0
_PIECE: Final = 32_768
_PIECES: Final = 32
"""Pieces that are asked for at once: a transfer then fills a slow line, and memory holds 1 MiB of it."""
_RSA: Final = ("rsa-sha2-512", "rsa-sha2-256")

logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # its errors are raised; its log lines name hosts and users


@contextmanager
def open_sftp(opened: UsableInstance, location: Location) -> Iterator[SftpFolder]:
    """Sign in to an SFTP server, and open a folder of it.

    Raises:
        PlaceError: the server has another key, denies the sign-in, or cannot be reached.
        AddressRejected: the host has an address that may not be called.
        BreakerOpen, BulkheadFull, DeadlinePassed: see ``core.resilience.guarded``.
    """
    import paramiko

    place = _ADDRESS.fullmatch(location.address)
    if place is None:
        raise PlaceError("bad_settings")
    host, port, path = place[1], int(place[2] or 22), place[3] or "/"
    if not may_reach(opened.hosts, host):
        raise PlaceError("address_not_allowed")
    meter(opened)
    connection = dial(
        SOURCES,
        host,
        port,
        seconds=_CONNECT_SECONDS,
        tenant=opened.tenant.id,
        instance=f"{opened.instance_id} {host}",
    )
    try:
        transport = paramiko.Transport(connection)
        client = _signed_in(transport, location.options)
    except BaseException:
        connection.close()  # a transport that has not begun does not close it
        raise
    limit = Timer(SOURCES.timeout, transport.close)
    limit.daemon = True
    limit.start()
    try:
        yield SftpFolder(client, path.rstrip("/") or "/")
    finally:
        limit.cancel()
        transport.close()


class SftpFolder:
    """An open folder of an SFTP server."""

    def __init__(self, client: paramiko.SFTPClient, path: str) -> None:
        self._client, self._path, self._until = client, path, time.monotonic() + SOURCES.timeout

    def entries(self, most: int) -> list[Entry]:
        """Return the regular files of the folder, none of which is a link.

        Raises:
            PlaceError: it is not there, or has more than ``most`` entries.
        """
        entries: list[Entry] = []
        try:
            for count, each in enumerate(self._client.listdir_iter(self._path)):
                if count >= most:
                    raise PlaceError("too_many_files")
                if stat.S_ISREG(each.st_mode or 0) and each.filename and "/" not in each.filename:
                    entries.append(_entry(each.filename, each))
        except _errors() as error:
            raise self._as_place_error(error) from error
        return entries

    def fetch(self, entry: Entry, into: BinaryIO, *, largest: int) -> None:
        """Write a file of the folder.

        Raises:
            PlaceError: it is gone, has changed, is too large, or ends early.
        """
        try:
            with self._client.open(f"{self._path.rstrip('/')}/{entry.name}", "rb") as file:
                file.settimeout(_SILENCE_SECONDS)
                if _entry(entry.name, file.stat()) != entry:
                    raise PlaceError("changed")
                if entry.size > largest:
                    raise PlaceError("too_large")
                _copy(file, entry.size, into)
                if _entry(entry.name, file.stat()) != entry:
                    raise PlaceError("changed")
        except _errors() as error:
            raise self._as_place_error(error) from error

    def _as_place_error(self, error: Exception) -> PlaceError:
        if isinstance(error, TimeoutError) or time.monotonic() >= self._until:  # the limit closes the connection
            return PlaceError("timeout")
        if is_full(error):
            return PlaceError("no_space")
        if isinstance(error, FileNotFoundError):
            return PlaceError("not_found")
        return PlaceError("access_denied" if isinstance(error, PermissionError) else "bad_answer")


def _signed_in(transport: paramiko.Transport, options: Any) -> paramiko.SFTPClient:  # noqa: ANN401 - texts by name
    import paramiko

    kind, _, pinned = options.get("host_key", "").partition(" ")
    transport.banner_timeout = transport.auth_timeout = transport.channel_timeout = _CONNECT_SECONDS
    began = time.monotonic()
    try:
        # Else a server with several keys offers another one than the pinned.
        transport.get_security_options().key_types = _algorithms(kind)
        transport.start_client(timeout=_CONNECT_SECONDS)
        key = transport.get_remote_server_key()
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise PlaceError("wrong_host_key" if "host key" in str(error) else "bad_answer") from error
    except ValueError as error:  # a kind of key that the library does not know
        raise PlaceError("bad_settings") from error
    except (paramiko.SSHException, EOFError) as error:
        raise _unanswered(began) from error
    if (key.get_name(), key.get_base64()) != (kind, pinned.split(" ", maxsplit=1)[0]):
        raise PlaceError("wrong_host_key")
    began = time.monotonic()
    try:
        if options.get("key"):
            transport.auth_publickey(options["user"], _private_key(options["key"]))
        else:
            transport.auth_password(options["user"], options.get("password", ""), fallback=False)
        client = paramiko.SFTPClient.from_transport(transport)
    except paramiko.AuthenticationException as error:
        raise _unanswered(began, "access_denied") from error
    except (paramiko.SSHException, EOFError) as error:
        raise _unanswered(began) from error
    if client is None:
        raise PlaceError("bad_answer")
    channel = client.get_channel()
    if channel is not None:
        channel.settimeout(_SILENCE_SECONDS)
    return client


def _unanswered(began: float, reason: Reason = "bad_answer") -> PlaceError:
    """Return what a step of the sign-in ended with: the library's errors do not tell a timeout from a refusal."""
    return PlaceError("timeout" if time.monotonic() - began >= _CONNECT_SECONDS else reason)


def _algorithms(kind: str) -> Sequence[str]:
    """Return the signatures that a server with a key of this kind may use."""
    return _RSA if kind == "ssh-rsa" else (kind,)


def _private_key(text: str) -> paramiko.PKey:
    import paramiko

    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text.strip() + "\n"))
        except (paramiko.SSHException, ValueError):
            continue
    raise PlaceError("bad_settings")


def _copy(file: paramiko.SFTPFile, size: int, into: BinaryIO) -> None:
    """Copy a file of a known size, some pieces at a time."""
    for begin in range(0, size, _PIECE * _PIECES):
        end = min(begin + _PIECE * _PIECES, size)
        pieces = [(start, min(_PIECE, end - start)) for start in range(begin, end, _PIECE)]
        for (_, length), piece in zip(pieces, file.readv(pieces), strict=True):
            if len(piece) != length:
                raise PlaceError("changed")
            into.write(piece)


def _entry(name: str, facts: paramiko.SFTPAttributes) -> Entry:
    moment = None if facts.st_mtime is None else datetime.fromtimestamp(facts.st_mtime, UTC)
    return Entry(name, -1 if facts.st_size is None else facts.st_size, moment)


def _errors() -> tuple[type[Exception], ...]:
    import paramiko

    return (OSError, EOFError, paramiko.SSHException)
