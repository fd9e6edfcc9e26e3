"""The output of commands: one answer on standard output, everything else on standard error.

Every command imports this module, so it loads neither the database nor the terminal library.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar
from uuid import UUID

import click

from core.identity.operator import ACTOR

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from core.database import TenantRef

__all__ = [
    "ACTOR",
    "DONE_IN_PART",
    "SLOW_SECONDS",
    "Progress",
    "done_in_part",
    "json_option",
    "note",
    "plain",
    "plain_text",
    "print_json",
    "print_table",
    "printable",
    "tenant",
]

DONE_IN_PART = 3
"""The exit code of a command that did only a part, such as an import with rejected rows."""

SLOW_SECONDS = 2.0
"""The seconds after which a step shows its progress."""

_LINE_SECONDS = 5.0

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def json_option(command: Decorated) -> Decorated:
    """Give a command the option ``--json``, as the argument ``as_json: bool``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")(command)


def note(text: str) -> None:
    """Print a note on standard error, beside the answer."""
    click.echo(text, err=True)


def print_json(value: object) -> None:
    """Print the answer as one JSON object.

    Models, dataclasses, UUIDs, dates (ISO 8601), decimals (as text: money is exact) and numpy scalars are understood.

    Raises:
        TypeError: the value holds something that JSON has no form for.
    """
    click.echo(json.dumps(value, default=plain, ensure_ascii=False, indent=2, allow_nan=False))


def plain(value: object) -> object:
    """Return ``value`` in JSON's own types, one level deep.

    Raises:
        TypeError: there is no such form.
    """
    for kinds, form in _FORMS:
        if isinstance(value, kinds):
            return form(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if hasattr(value, "tolist"):
        return value.tolist()
    message = f"{type(value).__name__} has no form in JSON"
    raise TypeError(message)


_FORMS: tuple[tuple[Any, Callable[[Any], object]], ...] = (
    ((datetime, date), lambda moment: moment.isoformat()),
    ((UUID, Decimal, Path), str),
    (Enum, lambda member: member.value),
    ((set, frozenset), sorted),
)


def print_table(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> None:
    """Print ``rows`` in aligned columns, headed by the columns' names; numbers to the right."""
    cells = [["" if row.get(column) is None else _cell(row[column]) for column in columns] for row in rows]
    heads = [column.replace("_", " ") for column in columns]
    widths = [max([len(head), *(len(line[at]) for line in cells)]) for at, head in enumerate(heads)]
    for line in [heads, *cells]:
        padded = (
            text.rjust(width) if _is_number(text) else text.ljust(width)
            for text, width in zip(line, widths, strict=True)
        )
        click.echo("  ".join(padded).rstrip())


def printable(line: str) -> str:
    """Return a line of somebody else's text, with a mark in place of each character that a terminal would obey."""
    return "".join(each if each.isprintable() else "\ufffd" for each in line.expandtabs(4))


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(plain_text(value))


def plain_text(value: object) -> object:
    """``value`` as a person reads it in a table."""
    return value if isinstance(value, str | int | float) else plain(value)


def _is_number(text: str) -> bool:
    return bool(text) and text.strip("-%").replace(",", "").replace(".", "", 1).isdigit()


def done_in_part(text: str) -> NoReturn:
    """End the command with exit code 3, after writing to standard error what is missing.

    Raises:
        click.exceptions.Exit: always.
    """
    note(text)
    raise click.exceptions.Exit(DONE_IN_PART)


def tenant(slug: str) -> TenantRef:
    """The tenant named on the command line.

    Raises:
        NotFound: there is none of that name.
        Forbidden: it is suspended.
    """
    from core.tenancy import get_tenant

    return get_tenant(slug)


class Progress:
    """The progress of a long step, on standard error, from its third second on.

    On a terminal it is a bar; elsewhere a line every five seconds. Used as a context manager::

        with Progress("Scoring", total=len(patients)) as progress:
            for chunk in chunks:
                ...
                progress.advance(len(chunk))
    """

    def __init__(self, label: str, total: int | None = None) -> None:
        self._label, self._total, self._done, self._note = label, total, 0, ""
        self._timer = threading.Timer(SLOW_SECONDS, self._begin)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._shown_at: float | None = None
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            if self._bar is not None:
                self._bar.stop()
            elif self._shown_at is not None and kind is None:
                note(f"{self._label}: done")

    def advance(self, count: int = 1) -> None:
        """Count ``count`` more as done."""
        self.update(self._done + count)

    def update(self, done: int, total: int | None = None, text: str = "") -> None:
        """Report that ``done`` of ``total`` are done, and the present step."""
        with self._lock:
            self._done, self._note = done, text or self._note
            self._total = self._total if total is None else total
            if self._shown_at is None:
                return
            if self._bar is not None and self._task is not None:
                self._bar.update(self._task, completed=done, total=self._total, description=self._described())
            elif time.monotonic() - self._shown_at >= _LINE_SECONDS:
                self._line()

    def _described(self) -> str:
        return f"{self._label}: {self._note}" if self._note else self._label

    def _begin(self) -> None:
        """Show the progress after two seconds."""
        with self._lock:
            if sys.stderr.isatty():
                self._bar, self._task = _bar(self._described(), self._done, self._total)
                self._shown_at = time.monotonic()
            else:
                self._line()

    def _line(self) -> None:
        self._shown_at = time.monotonic()
        if self._total:
            note(f"{self._described()}: {self._done:,} of {self._total:,} ({self._done / self._total:.0%})")
        elif self._done:
            note(f"{self._described()}: {self._done:,}")
        else:
            note(f"{self._described()} ...")


def _bar(label: str, done: int, total: int | None) -> tuple[RichProgress, TaskID]:
    """A live bar on the terminal."""
    from rich.console import Console
    from rich.progress import Progress as RichProgress

    bar = RichProgress(console=Console(stderr=True), transient=True)
    task = bar.add_task(label, total=total, completed=done)
    bar.start()
    return bar, task
