"""Short CSV files that people send by form or API, read as a whole: bounded, with whichever delimiter they have."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Protocol

from core.errors import FieldError, Invalid, phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


class CheckedRow(Protocol):
    """A row of a file, and what is wrong with it by column."""

    @property
    def line(self) -> int:
        """The line of the file where the row ends, from 1."""
        ...

    @property
    def problems(self) -> Sequence[FieldError]:
        """What is wrong; empty if nothing is."""
        ...


def reject_wrong(rows: Iterable[CheckedRow], place: str = "") -> None:
    """Raise if a row is wrong. A file counts as a whole, or not at all.

    Args:
        rows: of the file.
        place: where the file stands in the request, such as ``body.csv``; empty for a page or a command.

    Raises:
        Invalid: names line and column of each mistake (422).
    """
    prefix = f"{place}." if place else ""
    errors = [
        FieldError(f"{prefix}line {row.line}: {problem.field}", problem.problem, problem.remedy)
        for row in rows
        for problem in row.problems
    ]
    if errors:
        detail = "rows of the file are wrong, so nothing of it was saved"
        raise Invalid(detail, remedy="Correct the rows, and send the whole file again.", errors=errors)


def read_lines(
    content: str, unreadable: Callable[[str, str], Invalid], *, longest: int, most: int, too_many: str
) -> Iterator[tuple[int, list[str]]]:
    """Yield the header, then each row that is not empty, with the number from 1 of the line where it ends.

    Args:
        content: of the file.
        unreadable: makes the error of a problem and its remedy.
        longest: most characters of the file.
        most: most rows beside the header.
        too_many: the problem of a file with more rows.

    Raises:
        Invalid: what ``unreadable`` makes: the file is too long, has too many rows, or is no CSV.
    """
    if len(content) > longest:
        raise unreadable(phrase("has more than {most:,} characters", most=longest), "Split the file.")
    text = content.lstrip("\ufeff")
    delimiter = max(",;\t", key=(text.splitlines() or [""])[0].count)
    reader = csv.reader(StringIO(text), delimiter=delimiter)
    try:
        yield reader.line_num, next(reader, [])
        for count, cells in enumerate((cells for cells in reader if any(map(str.strip, cells))), 1):
            if count > most:
                raise unreadable(too_many, "Split the file.")
            yield reader.line_num, cells
    except csv.Error:
        raise unreadable("is not a CSV file", "Save it as CSV in UTF-8.") from None
