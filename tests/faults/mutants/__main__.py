"""``python -m tests.faults.mutants``: remove one mechanism after the other, and run the test that must fail then.

A mutant is killed if its test fails with it, and passes without it right after. The status is 1 if one is not.
``--only retries`` takes the mutants whose area or mechanism contains the word; ``--record`` writes the counts into
docs/reliability.md.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time

from tests.faults.mutants.record import write
from tests.faults.mutants.runs import Outcome, Runs
from tests.faults.mutants.table import Mutant, mutants


def main() -> int:
    """Run the mutants that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mutants")
    parser.add_argument("--only", default="", help="a word of the area or the mechanism")
    parser.add_argument("--record", action="store_true", help="write the counts into docs/reliability.md")
    asked = parser.parse_args()
    word = asked.only.lower()
    chosen = [each for each in mutants() if word in f"{each.area} {each.mechanism}".lower()]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers are stopped
    began = time.monotonic()
    outcomes: dict[Mutant, Outcome] = {}
    with Runs() as runs:
        for place, mutant in enumerate(chosen, start=1):
            outcomes[mutant] = outcome = runs.outcome(mutant)
            sys.stdout.write(f"{place}/{len(chosen)} {outcome}: {mutant.area}: {mutant.mechanism}\n")
            sys.stdout.flush()
    bad = [mutant for mutant, outcome in outcomes.items() if outcome != "killed"]
    for mutant in bad:
        sys.stdout.write(f"{outcomes[mutant]}: {mutant.mechanism} ({mutant.file}), {mutant.test}\n")
    sys.stdout.write(f"mutants: {len(chosen)}\nkilled: {len(chosen) - len(bad)}\n")
    if asked.record and not bad and not word:
        write(chosen, time.monotonic() - began)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
