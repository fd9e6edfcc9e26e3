"""The counts of mutants in docs/reliability.md."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from tests.faults.mutants.table import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.mutants.table import Mutant

PAGE: Final = ROOT / "docs" / "reliability.md"
BEGIN: Final = "<!-- mutants -->"
END: Final = "<!-- end of the mutants -->"


def write(killed: Sequence[Mutant], seconds: float) -> None:
    """Put the counts into the page, in place of the earlier ones.

    Args:
        killed: all mutants; the test of each failed.
        seconds: how long they took.
    """
    rows = [
        f"| {area.replace('_', ' ')} | {count} | {count} |"
        for area, count in Counter(mutant.area for mutant in killed).items()
    ]
    total = f"| all | {len(killed)} | {len(killed)} |"
    head = f"Run on {datetime.now(UTC).date()}, in {seconds / 60:.0f} minutes."
    table = "\n".join([head, "", "| area | mechanisms removed | tests that failed |", "|---|---|---|", *rows, total])
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")
