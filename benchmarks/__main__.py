"""``make bench``: run every ``bench_*.py`` on private servers, and print each ratio with what it is made of."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from benchmarks.measure import Ratio
from core.cli.output import print_table


def main() -> int:
    """Run all benchmarks, or those whose names hold a word given on the command line."""
    wanted = sys.argv[1:]
    files = sorted(Path(__file__).parent.glob("bench_*.py"))
    names = [file.stem for file in files if not wanted or any(word in file.stem for word in wanted)]
    if not names:
        sys.stderr.write(f"no benchmark is named like {' '.join(wanted)}\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="iit-bench-") as folder:
        Path(folder).chmod(0o755)  # when root, the servers run as an account that must be able to enter
        os.environ["IIT_STATE_DIR"] = str(Path(folder) / "state")
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "IIT_MASTER_KEY"):
            os.environ.pop(name, None)
        return _run(names)


def _run(names: list[str]) -> int:
    from core.database import dispose
    from core.database.upgrade import migrate
    from core.services import reset

    rows: list[dict[str, str]] = []
    try:
        migrate()
        for name in names:
            sys.stderr.write(f"measuring {name.removeprefix('bench_')} ...\n")
            rows += [_row(ratio) for ratio in import_module(f"benchmarks.{name}").run()]
    finally:
        dispose()
        reset()
    print_table(rows, ["measured", "ours_ms", "bare_ms", "ratio"])
    return 0


def _row(ratio: Ratio) -> dict[str, str]:
    return {
        "measured": ratio.name,
        "ours_ms": f"{ratio.ours * 1000:.3f}",
        "bare_ms": f"{ratio.bare * 1000:.3f}",
        "ratio": f"{ratio.times:.2f}",
    }


if __name__ == "__main__":
    sys.exit(main())
