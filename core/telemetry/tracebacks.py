"""Tracebacks without values: the frames, and of each exception what cannot hold a person's data."""

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


def describe(error: BaseException) -> str:
    """One line about an exception. Of errors that repeat values (database, validation) only the codes are told."""
    name = type(error).__name__
    if isinstance(error, AppError):
        return f"{name}: {scrub(error.detail)}"
    original = getattr(error, "orig", None)
    if isinstance(original, BaseException):
        return f"{name} of {describe(original)}"
    sqlstate = getattr(error, "sqlstate", None)
    if sqlstate is not None:
        told = getattr(error, "diag", None)
        where = " ".join(
            f"{part}={value}"
            for part in ("table_name", "column_name", "constraint_name")
            if (value := getattr(told, part, None))
        )
        return f"{name} {sqlstate} {where}".rstrip()
    listed = getattr(error, "errors", None)
    if callable(listed):  # pydantic's and FastAPI's validation errors
        return f"{name}: {'; '.join(_place(item) for item in listed())}"
    return f"{name}: {scrub_message(str(error))}" if str(error) else name


def _place(item: object) -> str:
    if not isinstance(item, dict):
        return "?"
    return f"{'.'.join(str(part) for part in item.get('loc', ()))} {item.get('type', '')}".strip()


def format_exception(error: BaseException) -> str:
    """The traceback of ``error`` and of what caused it, outermost last."""
    parts: list[str] = []
    seen: BaseException | None = error
    while seen is not None and len(parts) < _CHAIN:
        parts.append(_one(seen, seen.__traceback__))
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return "\n\ncaused\n\n".join(reversed(parts))


def _one(error: BaseException, trace: TracebackType | None) -> str:
    lines = []
    for frame in traceback.extract_tb(trace):
        file = Path(frame.filename)
        shown = file.relative_to(_ROOT) if file.is_relative_to(_ROOT) and ".venv" not in file.parts else file.name
        lines.append(f"  {shown}:{frame.lineno} in {frame.name}")
    return "\n".join([*lines, describe(error)])
