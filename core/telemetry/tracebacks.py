"""Tracebacks without values: the frames, and the safe part of each exception."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import AppError
from core.telemetry.redaction import scrub, scrub_message

if TYPE_CHECKING:
    from types import TracebackType

_ROOT = Path(__file__).resolve().parents[2]
_CHAIN = 5
_LAST = 2
_OF_THE_CODE = (ImportError, AttributeError, NameError, TypeError, NotImplementedError)
"""Exceptions whose texts concern code. Others may contain input, so only their frames appear."""


def describe(error: BaseException) -> str:
    """Describe an exception in one line.

    Errors that repeat values (database, validation) appear by their codes alone.
    """
    name = type(error).__name__
    if isinstance(error, AppError):
        return f"{name}: {scrub(error.detail)}"
    original = getattr(error, "orig", None)
    if isinstance(original, BaseException):
        return f"{name} of {describe(original)}"
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is not None:
        diagnosis = getattr(error, "diag", None)
        where = " ".join(
            f"{part}={value}"
            for part in ("table_name", "column_name", "constraint_name")
            if (value := getattr(diagnosis, part, None))
        )
        return f"{name} {sqlstate} {where}".rstrip()
    listed = getattr(error, "errors", None)
    if callable(listed):  # pydantic's and FastAPI's validation errors
        return f"{name}: {'; '.join(_place(item) for item in listed())}"
    if isinstance(error, OSError):
        return f"{name}: {error.strerror}" if error.strerror else name
    return (
        f"{name}: {scrub_message(str(error))}" if isinstance(error, _OF_THE_CODE) else f"{name} (its text is withheld)"
    )


def _place(item: object) -> str:
    if not isinstance(item, dict):
        return "?"
    return f"{'.'.join(str(part) for part in item.get('loc', ()))} {item.get('type', '')}".strip()


def format_exception(error: BaseException) -> str:
    """The traceback of ``error`` and its causes, outermost last."""
    parts: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(parts) < _CHAIN:
        parts.append(_one(seen, seen.__traceback__))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\n\ncaused\n\n".join(reversed(parts))


def _one(error: BaseException, trace: TracebackType | None) -> str:
    """Return the frames of our own code, and the last frames of any code, without the libraries' layers between."""
    lines = []
    frames = traceback.extract_tb(trace)
    for number, frame in enumerate(frames):
        file = Path(frame.filename)
        ours = file.is_relative_to(_ROOT) and ".venv" not in file.parts
        if ours or number >= len(frames) - _LAST:
            lines.append(f"  {file.relative_to(_ROOT) if ours else file.name}:{frame.lineno} in {frame.name}")
    return "\n".join([*lines, describe(error)])
