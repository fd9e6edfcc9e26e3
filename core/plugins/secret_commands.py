"""Secrets of ``iit plugin``: typed at a terminal, or given by a script on standard input or in a file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STDIN: Final = "-"


def secret_values(names: Sequence[str], files: Sequence[str]) -> Mapping[str, str]:
    """Return secrets by name.

    Args:
        names: asked for at a terminal. Without one, each is a line of standard input, in this order.
        files: ``NAME=FILE``; ``-`` is all of standard input. The space around the content does not count.

    Raises:
        UsageError: a file is not readable, standard input lacks a line, or it is wanted twice.
    """
    pairs = [_pair(each) for each in files]
    readers = (1 if names and not _at_terminal() else 0) + sum(path == STDIN for _, path in pairs)
    if readers > 1:
        message = "standard input has one use: give --secret NAME or one --secret-file NAME=-"
        raise click.UsageError(message)
    values = {name: _asked(name) if _at_terminal() else _line(name) for name in names}
    return {**values, **{name: _content(name, path) for name, path in pairs}}


def _at_terminal() -> bool:
    return sys.stdin.isatty()


def _asked(name: str) -> str:
    answer: str = click.prompt(name, hide_input=True, err=True)
    return answer


def _line(name: str) -> str:
    line = sys.stdin.readline().strip()
    if not line:
        message = f"standard input is no terminal, and has no line for the secret {name}"
        raise click.UsageError(message)
    return line


def _content(name: str, path: str) -> str:
    try:
        content = sys.stdin.read() if path == STDIN else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        message = f"the file of the secret {name} cannot be read: {reason}"
        raise click.UsageError(message) from None
    if not content.strip():
        message = f"the file of the secret {name} is empty"
        raise click.UsageError(message)
    return content.strip()


def _pair(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        message = "write a secret's file as NAME=FILE"
        raise click.UsageError(message)
    return name, path
