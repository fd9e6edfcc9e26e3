"""Rehearsals, on servers of their own: ``python -m tests.rehearsals [canary] [--record]``. Figures come last."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from core.settings import CHECKOUT
from tests.conftest import point_at
from tests.rehearsals import canary

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = CHECKOUT / "docs" / "operations" / "rehearsals.md"


def rehearse_canary(kinds: tuple[str, ...] = canary.KINDS) -> tuple[list[str], list[str]]:
    """Rehearse the roll-out of a good version and of bad ones; return the table, and what went wrong."""
    from core.tenancy import create_tenant

    key = create_tenant("rehearsal", "Rehearsal").api_key
    results = []
    for result in canary.rehearse(kinds, key):
        sys.stderr.write(f"{asdict(result)}\n")
        results.append(result)
    return canary.table(results), [fault for result in results for fault in canary.faults(result)]


REHEARSALS: dict[str, Callable[[], tuple[list[str], list[str]]]] = {"canary": rehearse_canary}
"""Name -> the rehearsal: it returns the lines of its table, and what went wrong."""


def record(name: str, lines: list[str]) -> None:
    """Write figures into the page, between the marks of the rehearsal."""
    text = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    head, _, rest = text.partition(begin)
    _, _, tail = rest.partition(end)
    PAGE.write_text("".join([head, begin, *(f"{line}\n" for line in lines), end, tail]), encoding="utf-8")


def main() -> int:
    """Run the rehearsals; 1 if one went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="?", choices=sorted(REHEARSALS))
    parser.add_argument("--record", action="store_true", help="Write the figures into docs/operations/rehearsals.md.")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="iit-rehearsal-"))
    folder.chmod(0o755)
    point_at(folder)
    os.environ["IIT_LOG_LEVEL"] = "warning"
    from core.database import dispose
    from core.database.upgrade import migrate
    from core.services import ensure, stop

    wrong: list[str] = []
    try:
        ensure()
        migrate()
        for name in [chosen.only] if chosen.only else sorted(REHEARSALS):
            lines, faults = REHEARSALS[name]()
            wrong += faults
            sys.stdout.write("\n".join(lines) + "\n")
            if chosen.record and not faults:
                record(name, lines)
    finally:
        dispose()
        stop()
        shutil.rmtree(folder, ignore_errors=True)
    for fault in wrong:
        sys.stderr.write(f"wrong: {fault}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
