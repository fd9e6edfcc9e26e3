"""``make bench`` runs every ``bench_*.py`` on private servers, and prints each ratio with both of its figures.

``python -m benchmarks [words] [--scale full] [--record]`` runs only the benchmarks whose names contain the words.
``--scale full`` takes the sizes that the documentation shows; ``--record`` writes the figures into
``docs/benchmarks.md``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.record import record, shown

if TYPE_CHECKING:
    from benchmarks.measure import Ratio

FOREIGN = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "IIT_MASTER_KEY", "IIT_DATA_DATABASES", "IIT_BACKUP_DIR")


def main() -> int:
    """Run all benchmarks, or those that the words of the command line choose."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Ratios to the bare machine, in one run.")
    parser.add_argument("words", nargs="*", help="run only the benchmarks whose names contain these words")
    parser.add_argument("--scale", choices=("small", "full"), default=os.environ.get("IIT_BENCH_SCALE", "small"))
    parser.add_argument("--record", action="store_true", help="write the figures into docs/benchmarks.md")
    arguments = parser.parse_args()
    files = sorted(Path(__file__).parent.glob("bench_*.py"))
    names = chosen([file.stem for file in files], arguments.words)
    if not names:
        sys.stderr.write(f"no benchmark is named like {' '.join(arguments.words)}\n")
        return 2
    os.environ["IIT_BENCH_SCALE"] = arguments.scale
    with tempfile.TemporaryDirectory(prefix="iit-bench-") as folder:
        Path(folder).chmod(0o755)  # when root, the servers run as an account that must be able to enter
        settings = Path(folder) / "settings.env"
        settings.touch()
        os.environ.update(IIT_STATE_DIR=str(Path(folder) / "state"), IIT_SETTINGS_FILE=str(settings))
        os.environ.setdefault("IIT_LOG_LEVEL", "warning")
        for name in FOREIGN:
            os.environ.pop(name, None)
        for name in names:
            _run(name, arguments.scale, write=arguments.record)
    return 0


def chosen(names: list[str], words: list[str]) -> list[str]:
    """Return the benchmark with that name, or else those whose names contain the word."""
    exact = {f"bench_{word}" for word in words} & set(names)
    parts = [word for word in words if f"bench_{word}" not in exact]
    return [name for name in names if not words or name in exact or any(word in name for word in parts)]


def _run(name: str, scale: str, *, write: bool) -> None:
    """Run one benchmark on its own servers, and print each figure as soon as it is known."""
    from core.database import dispose
    from core.database.upgrade import migrate
    from core.services import reset

    ratios: list[Ratio] = []
    sys.stderr.write(f"measuring {name.removeprefix('bench_')} ...\n")
    try:
        migrate()
        for ratio in import_module(f"benchmarks.{name}").run():
            ratios.append(ratio)
            print(shown(ratio), flush=True)
    finally:
        dispose()
        reset()
    if write:
        record(name.removeprefix("bench_"), scale, ratios)


if __name__ == "__main__":
    sys.exit(main())
