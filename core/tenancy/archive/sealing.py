"""Sealing of archives to a recipient's key: the age format (age-encryption.org/v1), as streams."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

import pyrage

from core.errors import Conflict, FieldError, Invalid, NotFound
from core.tenancy.archive.errors import ArchiveDamaged, WrongIdentity

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

PRIVATE = "AGE-SECRET-KEY-"
_MAGIC = b"age-encryption.org/v1\n"
_KEY_FILE_BYTES = 64 * 1024


def generate(private: Path, public: Path) -> str:
    """Write a new pair of keys, the private key readable by its owner alone. Return the public key.

    Raises:
        Conflict: one of the files exists.
    """
    for path in (private, public):
        if path.exists():
            detail = f"{path.name} exists already"
            raise Conflict(detail, remedy="choose another name; an overwritten key cannot be recovered")
    identity = pyrage.x25519.Identity.generate()
    shown = str(identity.to_public())
    handle = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as target:
        target.write(f"# public key: {shown}\n{identity}\n")
    public.write_text(f"{shown}\n", encoding="ascii")
    return shown


def recipient(path: Path) -> pyrage.x25519.Recipient:
    """The public key in a file.

    Raises:
        Invalid: the file holds no key, or a private key.
        NotFound: the file does not exist.
    """
    line = _only_line(path, "recipient")
    if line.startswith(PRIVATE):
        detail = f"{path.name} holds a private key"
        remedy = "name the file with the public key; the recipient keeps the private one"
        raise Invalid(detail, remedy=remedy, errors=[FieldError("recipient", "is a private key", remedy)])
    try:
        return pyrage.x25519.Recipient.from_str(line)
    except pyrage.RecipientError:
        raise _no_key(path, "recipient") from None


def identity(path: Path) -> pyrage.x25519.Identity:
    """The private key in a file.

    Raises:
        Invalid: the file holds none.
        NotFound: the file does not exist.
    """
    try:
        return pyrage.x25519.Identity.from_str(_only_line(path, "identity"))
    except pyrage.IdentityError:
        raise _no_key(path, "identity") from None


def _only_line(path: Path, field: str) -> str:
    try:
        with path.open("rb") as source:
            text = source.read(_KEY_FILE_BYTES).decode("ascii", "replace")
    except (FileNotFoundError, IsADirectoryError):
        detail = f"there is no file {path.name}"
        raise NotFound(detail, command="create a pair of keys with `iit archive keygen`") from None
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if len(lines) != 1:
        raise _no_key(path, field)
    return lines[0]


def _no_key(path: Path, field: str) -> Invalid:
    kind = "public key (age1...)" if field == "recipient" else f"private key ({PRIVATE}1...)"
    remedy, command = "Create a pair of keys.", "create a pair of keys with `iit archive keygen`"
    problem = FieldError(field, f"holds no {kind}", remedy, command)
    return Invalid(f"{path.name} holds no {kind}", remedy=remedy, command=command, errors=[problem])


class Stream(io.RawIOBase):
    """A stream over a generator's bytes. It keeps the generator's error; the library passes on only its text."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._left = memoryview(b"")
        self.raised: BaseException | None = None

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: object) -> int:
        """Fill the buffer from the generator; 0 at its end."""
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # whatever the caller reads into
        try:
            while not self._left:
                self._left = memoryview(next(self._pieces))
        except StopIteration:
            return 0
        except BaseException as error:
            self.raised = error
            raise
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def seal(pieces: Generator[bytes, None, None], target: BinaryIO, to: pyrage.x25519.Recipient) -> None:
    """Encrypt the bytes of ``pieces`` as they arrive. After an error, ``target`` is unusable.

    Raises:
        Exception: whatever ``pieces`` raises.
    """
    source = Stream(pieces)
    try:
        with contextlib.closing(pieces):
            pyrage.encrypt_io(io.BufferedReader(source, buffer_size=1 << 20), target, [to])
    except pyrage.EncryptError:
        if source.raised is not None:
            raise source.raised from None
        raise


class UnsealedStream:
    """The plain bytes of a sealed file, as a stream; each byte is verified before it is returned.

    The library pushes what it decrypts; a thread and a pipe turn that into a stream.
    """

    def __init__(self, source: BinaryIO, key: pyrage.x25519.Identity) -> None:
        self.raised: BaseException | None = None
        out, into = os.pipe()
        self.plain: BinaryIO = os.fdopen(out, "rb")
        self._source, self._key, self._into = source, key, into
        self._thread = threading.Thread(target=self._decrypt, name="iit-archive", daemon=True)
        self._thread.start()

    def _decrypt(self) -> None:
        target = os.fdopen(self._into, "wb")
        try:
            pyrage.decrypt_io(self._source, target, [self._key])
        except BaseException as error:  # noqa: BLE001 - raised where it is read
            self.raised = error  # before the reader sees the end
        finally:
            with contextlib.suppress(BrokenPipeError):
                target.close()

    def finish(self) -> None:
        """Read the rest, so that the last block is verified too.

        Raises:
            WrongIdentity: the file is sealed to another key.
            ArchiveDamaged: it was altered or cut short.
        """
        while self.plain.read(1 << 20):
            pass
        self._thread.join()
        if self.raised is not None:
            raise _plain(self.raised)

    def close(self) -> None:
        """Stop reading, wherever the stream is."""
        self.plain.close()
        self._thread.join()


@contextmanager
def opened(path: Path, key: pyrage.x25519.Identity) -> Iterator[UnsealedStream]:
    """Open a sealed file. It is complete only if ``finish`` does not raise; the end of the block calls it too.

    Raises:
        WrongIdentity: the file is sealed to another key.
        ArchiveDamaged: it was altered or cut short, or is not an archive.
        NotFound: the file does not exist.
    """
    try:
        source = path.open("rb")
    except (FileNotFoundError, IsADirectoryError):
        detail = f"there is no file {path.name}"
        raise NotFound(detail, remedy="give the path of an archive") from None
    with source:
        if source.read(len(_MAGIC)) != _MAGIC:
            detail = f"{path.name} is not an archive"
            raise ArchiveDamaged(detail)
        source.seek(0)
        stream = UnsealedStream(cast("BinaryIO", source), key)
        try:
            yield stream
            stream.finish()
        except Exception as error:
            if stream.raised is not None and not isinstance(error, type(_plain(stream.raised))):
                raise _plain(stream.raised) from error  # the reader met the end that this made
            raise
        finally:
            stream.close()


def _plain(error: BaseException) -> BaseException:
    if isinstance(error, pyrage.DecryptError) and "matching" in str(error):
        detail = "the archive is sealed to another key"
        return WrongIdentity(detail)
    if isinstance(error, pyrage.DecryptError | OSError):
        detail = "the archive was altered or cut short"
        return ArchiveDamaged(detail)
    return error
