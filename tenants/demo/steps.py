"""Runs ``iit`` commands as a visitor would type them, in this process, and takes their JSON answers.

The demo is made of the documented commands and nothing else, so that what it shows is what the visitor gets.
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
    """A command that was run.

    Attributes:
        command: as a visitor would type it.
        answer: the JSON object that it printed.
        exit_code: 0 done, 3 done in part.
        seconds: how long it took.
    """

    command: str
    answer: dict[str, Any]
    exit_code: int
    seconds: float


def step(*words: str, shown: bool = True) -> Step:
    """Run ``iit WORDS --json``.

    Args:
        words: the arguments of ``iit``, without ``--json``.
        shown: whether to tell the command on standard error.

    Raises:
        AppError: the command failed; what it said is on standard error already.
    """
    command = "iit " + shlex.join(words)
    if shown:
        click.secho(f"$ {command}", err=True, bold=True)
    out = io.StringIO()
    begun = time.perf_counter()
    with contextlib.redirect_stdout(out):
        code = run([*words, "--json"])
    seconds = time.perf_counter() - begun
    if code not in (0, DONE_IN_PART):
        message = f"`{command}` ended with exit code {code}"
        raise AppError(message, remedy="what it said stands above; mend that and run the demo again")
    return Step(command, json.loads(out.getvalue()), code, round(seconds, 1))
