"""What is reported of an error: its type, its place and its frames, and no value of it."""

from __future__ import annotations

import hashlib
import traceback
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

Role = Literal["api", "worker"]

ROOT: Final = Path(__file__).resolve().parents[2]
MOST_FRAMES: Final = 40
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of a traceback.

    Attributes:
        file: relative to the platform's folder; of libraries, relative to their folder.
        ours: whether it is the platform's code.
    """

    file: str
    function: str
    line: int
    ours: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} in {self.function}"


@dataclass(frozen=True, slots=True)
class Report:
    """An error without its values.

    Attributes:
        fingerprint: digest of the type, and of the file and function that raised it. A line that moves changes nothing.
        kind: name of the type.
        place: the last frame of our code; of any code if none is ours.
        frames: outermost first.
    """

    fingerprint: str
    kind: str
    place: Frame
    frames: tuple[Frame, ...]


@dataclass(frozen=True, slots=True)
class Sighting:
    """Errors of one group that this process saw since the last write."""

    report: Report
    role: Role
    release: str
    count: int
    first_seen: datetime
    last_seen: datetime
    trace_id: str | None
    request_id: str | None


def report_of(error: BaseException) -> Report:
    """Return the report of an error. Its text is not read: it may repeat what somebody sent."""
    frames = tuple(_frame(each) for each in traceback.extract_tb(error.__traceback__, limit=-MOST_FRAMES))
    place = next((each for each in reversed(frames) if each.ours), frames[-1] if frames else _NOWHERE)
    kind = type(error).__name__[:_LONGEST_NAME]
    identity = f"{kind}\n{place.file}\n{place.function}".encode()
    return Report(hashlib.sha256(identity).hexdigest()[:32], kind, place, frames)


def _frame(summary: traceback.FrameSummary) -> Frame:
    path = Path(summary.filename)
    ours = path.is_relative_to(ROOT) and ".venv" not in path.parts
    if ours:
        file = str(path.relative_to(ROOT))
    else:
        parts = path.parts
        start = parts.index("site-packages") + 1 if "site-packages" in parts else len(parts) - 1
        file = "/".join(parts[start:])
    return Frame(file, summary.name[:_LONGEST_NAME], summary.lineno or 0, ours)


_NOWHERE: Final = Frame("?", "?", 0, ours=False)
