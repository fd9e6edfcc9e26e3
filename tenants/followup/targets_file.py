"""Files of targets: CSV with one facility and month a line. A file is set as a whole, or not at all."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Final

from core.errors import FieldError, Invalid, phrase
from core.web.days import FIRST_YEAR, LAST_YEAR
from core.web.short_csv import read_lines, reject_wrong
from tenants.followup import targets
from tenants.followup.targets import Target
from tenants.records.repository import facility_uuids

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from core.database import TenantSession

COLUMNS: Final = ("facility", "month", "reached", "returned")
MOST_ROWS: Final = 2_000
LONGEST: Final = 500_000
"""Characters of a file."""
_MONTH: Final = re.compile(r"(\d{4})-(\d{2})(-01)?", re.ASCII)
_SHARE: Final = re.compile(r"(\d{1,3}(?:[.,]\d{1,6})?)\s*(%?)", re.ASCII)


@dataclass(slots=True)
class TargetRow:
    """One row of a file: its line from 1, its target if it can be read, and what is wrong with it by column."""

    line: int
    target: Target | None
    problems: list[FieldError] = field(default_factory=list)


def set_targets(session: TenantSession, content: str) -> int:
    """Set the targets of a file; return their number.

    Args:
        session: the tenant's transaction.
        content: of the file: a header, then one facility (DATIM id) and month (``2026-02``) a line, with the shares to
            reach and to see back as ``70%`` or ``0.7``. An empty share is no target.

    Raises:
        Invalid: the file cannot be read, or rows are wrong; nothing is set.
    """
    rows = check_file(session, content)
    reject_wrong(rows, "body.csv")
    for row in rows:
        if row.target is not None:
            targets.set_target(session, row.target)
    return len(rows)


def check_file(session: TenantSession, content: str) -> list[TargetRow]:
    """The rows of a file with what is wrong with each. Nothing is written.

    Raises:
        Invalid: the file is too long, no CSV, or a column is missing or unknown.
    """
    rows = list(_rows(content))
    known = facility_uuids(session, {row.target.facility for row in rows if row.target is not None})
    seen: dict[tuple[str, date], int] = {}
    for row in rows:
        if row.target is None:
            continue
        row.problems += targets.check(row.target)
        if row.target.facility not in known:
            row.problems.append(FieldError("facility", "names no facility", "write the DATIM id of a facility"))
        first = seen.setdefault((row.target.facility, row.target.month), row.line)
        if first != row.line:
            twice = phrase("has the month of line {line} again", line=first)
            row.problems.append(FieldError("month", twice, "write each facility and month one time"))
    return rows


def _rows(content: str) -> Iterator[TargetRow]:
    too_many = phrase("has more than {most:,} rows", most=MOST_ROWS)
    lines = read_lines(content, _unreadable, longest=LONGEST, most=MOST_ROWS, too_many=too_many)
    names = _columns(next(lines)[1])
    for line, cells in lines:
        yield _row(line, dict(zip(names, cells, strict=False)))


def _columns(head: list[str]) -> list[str]:
    names = [cell.strip().lower() for cell in head]
    if Counter(names) != Counter(COLUMNS):
        raise _unreadable("has other columns than a file of targets", "Begin it with: facility,month,reached,returned")
    return names


def _row(line: int, cells: Mapping[str, str]) -> TargetRow:
    row = TargetRow(line, None)
    month = _month(cells.get("month", "").strip())
    if month is None:
        row.problems.append(FieldError("month", "is not a month", "write a month such as 2026-02"))
    shares = {}
    for column in ("reached", "returned"):
        try:
            shares[column] = _share(cells.get(column, "").strip())
        except ValueError:
            row.problems.append(FieldError(column, "is not a share", "write 70% or 0.7, or nothing"))
    if month is not None and len(shares) == len(COLUMNS[2:]):
        row.target = Target(cells.get("facility", "").strip(), month, shares["reached"], shares["returned"])
    return row


def _month(text: str) -> date | None:
    match = _MONTH.fullmatch(text)
    if match is None or not FIRST_YEAR <= int(match[1]) <= LAST_YEAR or not 1 <= int(match[2]) <= 12:  # noqa: PLR2004 - December
        return None
    return date(int(match[1]), int(match[2]), 1)


def _share(text: str) -> float | None:
    if not text:
        return None
    match = _SHARE.fullmatch(text)
    value = float(match[1].replace(",", ".")) / (100 if match[2] else 1) if match else -1
    if not 0 <= value <= 1:
        raise ValueError(text)
    return value


def _unreadable(problem: str, remedy: str) -> Invalid:
    detail = "the file of targets cannot be read"
    return Invalid(detail, remedy=remedy, errors=[FieldError("body.csv", problem, remedy)])
