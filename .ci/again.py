"""Name the tests that failed in the last run; fail if they are too many for a race to be why."""

from __future__ import annotations

import json
import sys
from pathlib import Path

MOST = 12
CACHE = Path(__file__).parent.parent / ".pytest_cache"
FAILED, STATUS = CACHE / "v/cache/lastfailed", CACHE / "status"

if not STATUS.exists() or STATUS.read_text(encoding="utf-8").strip() != "1":
    sys.exit("the run did not come to its end: nothing is run again")
failed = sorted(json.loads(FAILED.read_text(encoding="utf-8"))) if FAILED.exists() else []
if not 1 <= len(failed) <= MOST:
    sys.exit(f"{len(failed)} tests failed: only 1 to {MOST} are run again")
sys.stdout.write("\n  ".join(["failed, and run again alone:", *failed]) + "\n")
