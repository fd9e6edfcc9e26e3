"""Run ``iit`` commands as a visitor would type them, in this process, and return their JSON answers.

The demo uses only documented commands, so that it shows what the visitor gets.
"""

from __future__ import annotations

import contextlib
import io
import json
import shlex
import time
from dataclasses import dataclass
from typing import Any

import click

from core.cli.main import run
from core.cli.output import DONE_IN_PART
from core.errors import AppError


@dataclass(frozen=True, slots=True)
class Step:
    """A finished command.

    Attributes:
        command: the command as a visitor would type it.
        answer: the JSON object that it printed.
        exit_code: 0 done, 3 done in part.
        seconds: its duration.
    """

    command: str
    answer: dict[str, Any]
    exit_code: int
    seconds: float


def step(*words: str, show: bool = True) -> Step:
    """Run ``iit WORDS --json``.

    Args:
        words: the arguments of ``iit``, without ``--json``.
        show: whether to print the command on standard error.

    Raises:
        AppError: the command failed; its error is on standard error already.
    """
    command = "iit " + shlex.join(words)
    if show:
        click.secho(f"$ {command}", err=True, bold=True)
    out = io.StringIO()
    start = time.perf_counter()
    with contextlib.redirect_stdout(out):
        code = run([*words, "--json"])
    seconds = time.perf_counter() - start
    if code not in (0, DONE_IN_PART):
        message = f"`{command}` ended with exit code {code}"
        raise AppError(message, remedy="its error is printed above; correct that and run the demo again")
    return Step(command, json.loads(out.getvalue()), code, round(seconds, 1))
