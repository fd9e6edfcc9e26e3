"""Read a document in a process of its own, so that a hostile file harms only that process.

The process has no network, no secrets, and no files but its own folder. It has limits on memory and time. What it
answers is checked like any untrusted input.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.database import require_none
from core.plugins.confinement import confinement
from core.plugins.exchange import read_bytes
from core.plugins.process import Limits, environment_of, kill_all, private_folder, python_path
from core.resilience import seconds_left
from tenants.knowledge.reading.blocks import MOST_CHARACTERS, Block, UnreadableError, storable
from tenants.knowledge.reading.documents import HTML, MARKDOWN, MOST_BYTES, PDF, WORD, Reading
from tenants.knowledge.reading.languages import LANGUAGES
from tenants.knowledge.reading.reader_main import ANSWER, DOCUMENT
from tenants.knowledge.reading.reasons import Reason

if TYPE_CHECKING:
    from pathlib import Path

LIMITS: Final = Limits(seconds=120.0, memory_bytes=2 << 30, file_bytes=128 << 20)
"""Of reading one document."""

_LARGEST_ANSWER: Final = 12 * MOST_CHARACTERS + (1 << 20)
"""Bytes of an answer: JSON writes a character in at most 12."""
_MODULE: Final = "tenants.knowledge.reading.reader_main"
_MEDIA_TYPES: Final = (PDF, WORD, HTML, MARKDOWN)
_LONGEST_TITLE: Final = 300


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    media_type: str
    title: str = Field(max_length=MOST_CHARACTERS)
    language: str
    blocks: list[tuple[Literal["heading", "text", "table"], str, int, int | None]]


def read_apart(content: bytes, *, limits: Limits = LIMITS) -> Reading:
    """Return what a document holds, read in a process of its own.

    Raises:
        UnreadableError: it cannot be read.
        TransactionOpenError: a transaction is open.
    """
    require_none("a document was read")
    if len(content) > MOST_BYTES:
        raise UnreadableError("too_large")
    with private_folder() as folder:
        (folder / DOCUMENT).write_bytes(content)
        (folder / "home").mkdir()
        _run(folder, limits)
        return _answer(folder)


def _run(folder: Path, limits: Limits) -> None:
    token = uuid4().hex
    confined = confinement(folder, limits.to_json(), python_path=python_path())
    process = subprocess.Popen(  # noqa: S603 - our own program, which confines itself before it reads the document
        [sys.executable, "-P", "-m", "core.processes.confined", confined.specification, _MODULE],
        cwd=folder,
        env=environment_of(folder, token),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # a reader's error may quote the document
        start_new_session=True,
    )
    try:
        process.wait(timeout=seconds_left(limits.seconds))
    except subprocess.TimeoutExpired:
        raise UnreadableError("too_slow") from None
    finally:
        kill_all(process, token)


def _answer(folder: Path) -> Reading:
    answer: Any = None
    with suppress(OSError, ValueError, RecursionError):
        answer = json.loads(read_bytes(folder / ANSWER, most=_LARGEST_ANSWER))
    if not isinstance(answer, dict):
        raise UnreadableError("reader_failed")
    reason = next((code for code in get_args(Reason) if code == answer.get("unreadable")), None)
    if reason is not None:
        raise UnreadableError(reason)
    try:
        checked = _Answer.model_validate(answer)
    except ValidationError:
        raise UnreadableError("reader_failed") from None
    if checked.media_type not in _MEDIA_TYPES or checked.language not in LANGUAGES:
        raise UnreadableError("reader_failed")
    blocks = [Block(kind, storable(text), level, page) for kind, text, level, page in checked.blocks]
    return Reading(checked.media_type, storable(checked.title)[:_LONGEST_TITLE], checked.language, blocks)
