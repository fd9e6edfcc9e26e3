"""Finds and runs the examples of the documentation.

A fenced ``console`` block that follows the comment ``<!-- executed -->`` is run: each line that begins with ``$ `` is a
command, the lines after it are the output to expect, in doctest's terms (``...`` stands for anything). All blocks of
one page share a folder, a state folder and the embedded services, so that a page reads, and runs, from top to bottom.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"<!-- executed -->\s*```console\n(.*?)```", re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True, slots=True)
class Example:
    """One command of a page and the output that the page shows for it."""

    command: str
    expected: str


def pages() -> list[Path]:
    """Every Markdown page that is kept in the project."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split()]


def examples(text: str) -> list[Example]:
    """The executed examples of a page, in order."""
    pairs: list[Example] = []
    for block in BLOCK.findall(text):
        command = ""
        output: list[str] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    pairs.append(Example(command, "\n".join(output)))
                command, output = line[2:], []
            elif command.endswith("\\"):
                command = command[:-1] + line.strip()
            else:
                output.append(line)
        if command:
            pairs.append(Example(command, "\n".join(output)))
    return pairs


def run(example: Example, *, folder: Path, state: Path) -> tuple[bool, str]:
    """Run an example and say whether it did what the page shows, with what it printed."""
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "IIT_STATE_DIR": str(state),
        "IIT_EXAMPLES": str(ROOT / "docs" / "examples"),
        "COLUMNS": "120",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["bash", "-c", example.command], cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False
    )
    shown = done.stdout
    matches = not example.expected.strip() or doctest.OutputChecker().check_output(
        example.expected + "\n", shown, FLAGS
    )
    return done.returncode == 0 and matches, f"exit {done.returncode}\n{shown}\n{done.stderr}"
