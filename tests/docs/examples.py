"""Finds and runs the examples of the documentation.

A fenced ``console`` block that follows the comment ``<!-- executed -->`` is run: each line that begins with ``$ `` is a
command, the lines after it are the output to expect, in doctest's terms (``...`` stands for anything). All blocks of
one page share a folder, a state folder and the embedded services, so that a page reads, and runs, from top to bottom.

A page may set up its shell in a block after ``<!-- executed first, in a clone -->``. That block runs first, and the
examples get the folder and the variables that it leaves.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests import zygote

ROOT = Path(__file__).resolve().parents[2]
SET_UP = re.compile(r"<!-- executed first, in a clone -->\s*```\n(.*?)```", re.DOTALL)
BLOCK = re.compile(r"<!-- executed -->\s*```console\n(.*?)```", re.DOTALL)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True, slots=True)
class Example:
    """One command of a page and the output that the page shows for it."""

    command: str
    expected: str


@dataclass(frozen=True, slots=True)
class Shell:
    """The folder and the variables of a page's commands."""

    folder: Path
    env: dict[str, str]


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


def shell_of(text: str, place: Path) -> Shell:
    """The shell that a page sets up; without a block that does, an empty folder with ``iit`` on the path.

    Args:
        text: the page.
        place: a temporary folder. The block runs in a clone there: links to this one's documentation and environment.
    """
    folder, clone = place / "work", place / "clone"
    env = {name: value for name, value in os.environ.items() if name != "IIT_EXAMPLES"}
    env |= {"IIT_STATE_DIR": str(place / "state"), "TMPDIR": str(place), "COLUMNS": "120", "NO_COLOR": "1"}
    folder.mkdir()
    block = SET_UP.search(text)
    if block is None:
        places = (str(zygote.shim()), str(Path(sys.executable).parent), os.environ["PATH"])
        return Shell(folder, env | {"PATH": os.pathsep.join(places)})
    clone.mkdir()
    (clone / "docs").symlink_to(ROOT / "docs")
    (clone / ".venv").symlink_to(sys.prefix)
    done = subprocess.run(
        ["bash", "-c", f"set -e\n{block[1]}\nenv -0"], cwd=clone, env=env, capture_output=True, text=True, check=True
    )
    left = dict(line.split("=", 1) for line in done.stdout.rstrip("\0").split("\0"))
    left["PATH"] = f"{zygote.shim()}{os.pathsep}{left['PATH']}"
    return Shell(Path(left["PWD"]), left)


def run(example: Example, shell: Shell) -> tuple[bool, str]:
    """Run an example and say whether it did what the page shows, with what it printed."""
    done = subprocess.run(
        ["bash", "-c", example.command],
        cwd=shell.folder,
        env=shell.env,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    shown = done.stdout
    matches = not example.expected.strip() or doctest.OutputChecker().check_output(
        example.expected + "\n", shown, FLAGS
    )
    return done.returncode == 0 and matches, f"exit {done.returncode}\n{shown}\n{done.stderr}"
