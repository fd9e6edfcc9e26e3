"""The rows of a table below its headings, from any kind of file, and the checks of the headings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import phrase
from tenants.imports.reading.sources import rejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tenants.imports.facts import Rejection
    from tenants.imports.reading.sources import Source
    from tenants.imports.reading.values import Unreadable

MAX_FIELD = 65536
"""Characters of the longest cell."""

MAX_COLUMNS = 2000


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line on which it begins, its cells, and why it is rejected if it is not readable."""

    line: int
    cells: Sequence[str | Unreadable]
    rejection: Rejection | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """An open table. Read either ``rows`` or ``lines``, not both. A workbook has no lines.

    Attributes:
        first: the number of the first line below the headings.
    """

    headings: list[str]
    encoding: str
    delimiter: str
    rows: Iterator[Row]
    lines: Iterator[str] | None = None
    first: int = 2


def check_headings(headings: list[str], source: Source) -> None:
    """Check that the headings can name the columns.

    Raises:
        Invalid: there are no headings, too many, two equal ones, or unreadable ones.
    """
    if not headings:
        raise rejected(source.name, "the first line holds no headings", "begin the file with a line of column names")
    if len(headings) > MAX_COLUMNS:
        raise rejected(
            source.name,
            phrase("more than {most} columns", most=MAX_COLUMNS),
            "check that it is the right file",
        )
    if any(undecoded(heading) for heading in headings):
        raise rejected(source.name, "the headings are not valid UTF-8", "save it as 'CSV UTF-8', and import it again")
    counts = Counter(heading for heading in headings if heading)
    # If a file has no headings, these are the cells of its first row: never show them.
    repeated = next((heading for heading, count in counts.items() if count > 1), None)
    if repeated is not None:
        places = " and ".join(str(at) for at, heading in enumerate(headings, start=1) if heading == repeated)
        raise rejected(
            source.name,
            phrase("columns {places} have the same heading", places=places),
            "give every column a name of its own",
        )


def undecoded(text: str) -> bool:
    """Whether a text has undecodable bytes, in the form in which ``surrogateescape`` keeps them."""
    return any("\udc80" <= character <= "\udcff" for character in text)
