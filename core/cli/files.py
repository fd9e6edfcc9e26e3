"""Files that commands write."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import click

from core.cli.output import note

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def output_file(to: Path | None, form: str) -> Iterator[BinaryIO]:
    """Open the file to write; it appears under its name when it is complete.

    Raises:
        click.UsageError: an xlsx would go to a terminal.
        click.BadParameter: the folder does not exist.
    """
    if to is None:
        if form == "xlsx" and sys.stdout.isatty():
            message = "an xlsx cannot be printed on a terminal: give --to FILE"
            raise click.UsageError(message)
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if not to.parent.is_dir():
        message = f"the folder {to.parent} does not exist"
        raise click.BadParameter(message, param_hint="--to")
    part = to.with_name(f".{to.name}.part")
    try:
        with part.open("wb") as file:
            part.chmod(0o600)  # it may name people
            yield file
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    note(f"written: {to}")
