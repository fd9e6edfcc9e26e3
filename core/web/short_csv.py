"""Short CSV files that people send by form or API, read as a whole: bounded, with whichever delimiter they have."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING

from core.errors import phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from core.errors import Invalid


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
