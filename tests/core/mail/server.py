"""A small SMTP server on loopback, in a thread: it takes letters and keeps them."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from ipaddress import ip_address
from threading import Event, Thread
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from core.clock import now
from core.settings import get_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

    import pytest


@dataclass
class Postbox:
    """The server's letters, and how it behaves.

    Attributes:
        offers: what the server says after EHLO.
        rejects: the recipient whom it rejects.
        commands: the verbs that it got, in order.
    """

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    offers: tuple[str, ...] = ("AUTH PLAIN",)
    rejects: str = ""
    commands: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.talk(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())

        say("220 here")
        while line := await reader.readline():
            verb = line.split()[0].decode().upper() if line.split() else ""
            self.commands.append(verb)
            if verb == "EHLO":
                say("250-here")
                for offer in self.offers:
                    say(f"250-{offer}")
                say("250 8BITMIME")
            elif verb == "RCPT" and self.rejects and self.rejects.encode() in line:
                say("550 no such person")
            elif verb == "DATA":
                say("354 go on")
                data = await reader.readuntil(b"\r\n.\r\n")
                self.letters.append(message_from_bytes(data[:-3], policy=policy.default))
                say("250 taken")
            elif verb == "QUIT":
                say("221 bye")
                break
            else:
                say("235 welcome" if verb == "AUTH" else "250 fine")
            await writer.drain()


@contextmanager
def postbox(context: ssl.SSLContext | None = None) -> Iterator[Postbox]:
    """A running server; with ``context``, one that is encrypted from the beginning."""
    box, begun, loops = Postbox(), Event(), []

    async def run() -> None:
        talks: set[asyncio.Task[None]] = set()

        def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            talks.add(asyncio.create_task(box.serve(reader, writer)))

        ended = asyncio.Event()
        server = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=context)
        box.port = server.sockets[0].getsockname()[1]
        loops.append((asyncio.get_running_loop(), ended))
        begun.set()
        async with server:
            await ended.wait()
        await asyncio.gather(*talks, return_exceptions=True)

    thread = Thread(target=lambda: asyncio.run(run()))
    thread.start()
    begun.wait()
    try:
        yield box
    finally:
        loop, ended = loops[0]
        loop.call_soon_threadsafe(ended.set)
        thread.join()


@contextmanager
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Postbox]:
    """A running server that the installation uses."""
    with postbox() as server, monkeypatch.context() as patch:
        patch.setenv("IIT_SMTP_URL", f"smtp://127.0.0.1:{server.port}")
        patch.setenv("IIT_MAIL_FROM", "Platform <iit@example.org>")
        patch.setenv("IIT_PUBLIC_URL", "https://iit.example.org/")
        get_settings.cache_clear()
        yield server
    get_settings.cache_clear()


def certificate(folder: Path) -> Path:
    """A file with a new key and its own certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file
