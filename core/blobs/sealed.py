"""Encrypted streams in chunks, so that any length can be written and read without holding it in memory.

The layout is a header (magic, version, 16 random bytes) and chunks of AES-256-GCM. Each blob has its own key (HKDF of
the tenant's key, with the random bytes and the blob's name), so nonces may count from zero. A chunk's nonce contains
its number and whether it is the last. So chunks cannot be reordered, dropped or appended, and no byte is returned
before its tag was verified (STREAM; Hoang, Reyhanitabar, Rogaway, Vizár 2015).
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.blobs.errors import BlobDamaged

MAGIC = b"IITBLOB\x01"
SALT = 16
HEADER = len(MAGIC) + SALT
CHUNK = 256 * 1024
TAG = 16
KEY_BYTES = 32


def _cipher(key: bytes, salt: bytes, name: str) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=b"iit blob|" + name.encode()).derive(key))


def _nonce(number: int, *, last: bool) -> bytes:
    return struct.pack(">QxxxB", number, last)


def write(source: BinaryIO, target: BinaryIO, key: bytes, name: str) -> tuple[int, str]:
    """Encrypt all of ``source`` to ``target``.

    Args:
        source: the stream to encrypt, to its end.
        target: the stream for the encrypted bytes.
        key: 32 bytes of the tenant.
        name: the blob's full name, which its bytes are bound to.

    Returns:
        Size and SHA-256 (hexadecimal) of what was read.
    """
    salt = os.urandom(SALT)
    header = MAGIC + salt
    cipher = _cipher(key, salt, name)
    target.write(header)
    digest, size, number = hashlib.sha256(), 0, 0
    chunk = _read_full(source, CHUNK)
    while True:
        following = _read_full(source, CHUNK) if len(chunk) == CHUNK else b""
        digest.update(chunk)
        size += len(chunk)
        target.write(cipher.encrypt(_nonce(number, last=not following), chunk, header))
        if not following:
            return size, digest.hexdigest()
        chunk, number = following, number + 1


def _read_full(source: BinaryIO, size: int) -> bytes:
    """Read exactly ``size`` bytes, fewer only at the end, because a network stream may return less at a time."""
    parts, left = [], size
    while left:
        part = source.read(left)
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


class SealedReader(io.RawIOBase):
    """Reads a file that :func:`write` wrote, from start to end.

    Raises:
        BlobDamaged: when opened or read, if a byte differs from what was written.
    """

    def __init__(self, source: BinaryIO, key: bytes, name: str) -> None:
        super().__init__()
        self._source = source
        header = _read_full(source, HEADER)
        if len(header) != HEADER or not header.startswith(MAGIC):
            self.close()
            detail = "the stored file does not have the platform's format"
            raise BlobDamaged(detail)
        self._header = header
        self._cipher = _cipher(key, header[len(MAGIC) :], name)
        self._number = 0
        self._plain = memoryview(b"")
        self._ahead: bytes | None = _read_full(source, CHUNK + TAG)

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer with verified bytes; return 0 at the end."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        if not self._plain and self._ahead is not None:
            self._plain = memoryview(self._next_chunk(self._ahead))
        count = min(len(view), len(self._plain))
        view[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count

    def _next_chunk(self, sealed: bytes) -> bytes:
        following = _read_full(self._source, CHUNK + TAG) if len(sealed) == CHUNK + TAG else b""
        try:
            plain = self._cipher.decrypt(_nonce(self._number, last=not following), sealed, self._header)
        except InvalidTag as error:
            detail = "the stored file was altered, cut short, or is not this tenant's"
            raise BlobDamaged(detail) from error
        self._number += 1
        self._ahead = following or None
        return plain

    def close(self) -> None:
        """Close the stored file too."""
        if not self.closed:
            self._source.close()
        super().close()
