"""The failures of a job: the first and the last, and the frames of the last error.

``node.jobs.failures`` is an object: ``first`` and ``last``, each with ``at`` and ``error``, and ``trace``, the frames
of the last error that had any. A trace has files, lines and functions. It never has values, nor the messages of errors
that are not our own, because both may contain a person's data.
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

from core.errors import AppError
from core.telemetry.redaction import scrub

if TYPE_CHECKING:
    from types import TracebackType

MOST_ERRORS: Final = 5
"""Errors of a chain of causes that a trace keeps; the last one raised is the first of them."""
MOST_FRAMES: Final = 30
"""Frames of one error that a trace keeps: the innermost."""
LONGEST_TEXT: Final = 300

_CHECKOUT: Final = Path(__file__).resolve().parents[2]


class Frame(TypedDict):
    """One frame: its file, its line, and its function."""

    file: str
    line: int
    function: str


class TracedError(TypedDict):
    """One error of a chain: its type, with the detail of our own errors, and its frames, the outermost first."""

    error: str
    frames: list[Frame]


Trace = list[TracedError]


def trace_of(error: BaseException) -> Trace:
    """Return the frames of an error and of its causes, the error itself first. Bounded, whatever was raised."""
    trace: Trace = []
    raised: BaseException | None = error
    while raised is not None and len(trace) < MOST_ERRORS:
        trace.append({"error": _named(raised), "frames": _frames(raised.__traceback__)})
        raised = raised.__cause__ or (None if raised.__suppress_context__ else raised.__context__)
    return trace


def recorded(error: str, trace: str = "NULL::jsonb") -> str:
    """Return the SQL expression of the column ``failures`` of ``node.jobs`` after one more failure.

    Args:
        error: SQL expression of the error's text.
        trace: SQL expression of its trace; where it is null, the earlier trace stays.
    """
    failure = f"jsonb_build_object('at', now(), 'error', left({error}, {LONGEST_TEXT}))"
    return (
        f"jsonb_build_object('first', coalesce(failures -> 'first', {failure}), 'last', {failure},"
        f" 'trace', coalesce({trace}, failures -> 'trace'))"
    )


def _named(error: BaseException) -> str:
    name = type(error).__name__
    return f"{name}: {scrub(error.detail)}"[:LONGEST_TEXT] if isinstance(error, AppError) else name[:LONGEST_TEXT]


def _frames(trace: TracebackType | None) -> list[Frame]:
    return [
        {"file": _shown(frame.filename), "line": frame.lineno or 0, "function": frame.name[:LONGEST_TEXT]}
        for frame in traceback.extract_tb(trace)[-MOST_FRAMES:]
    ]


def _shown(filename: str) -> str:
    """Return a file within the project, or a library's file by its package, without the machine's folders."""
    file = Path(filename)
    if "site-packages" in file.parts:
        at = len(file.parts) - 1 - file.parts[::-1].index("site-packages")
        return "/".join(file.parts[at + 1 :])[-LONGEST_TEXT:]
    return str(file.relative_to(_CHECKOUT)) if file.is_relative_to(_CHECKOUT) else file.name[-LONGEST_TEXT:]


def describe(error: BaseException) -> str:
    """Describe an error by type and place, without values, which may be personal. Our own errors give their detail."""
    name = type(error).__name__
    if isinstance(error, AppError):
        return f"{name}: {error.detail}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(_CHECKOUT) and ".venv" not in path.parts:
            return f"{name} at {path.relative_to(_CHECKOUT)}:{frame.lineno} in {frame.name}"
    return name
