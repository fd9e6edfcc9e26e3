"""From a cell to a value: dates in the forms that exports use, numbers, codes, supplies in days.

Each converter takes what a cell holds (text, or what a workbook stores) and returns the value, or raises
``BadValueError`` with what is wrong and the remedy. No message repeats the cell: a report of refused rows carries no
personal data.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache

EARLIEST = date(1900, 1, 1)
LATEST = date(2200, 1, 1)
EXCEL_EPOCH = date(1899, 12, 30)
EXCEL_LEAST, EXCEL_MOST = 1, 109_574
DAYS_A_MONTH = 30
"""A month of refill is 30 days: how programmes count multi-month dispensing (3 months are 90 days)."""

MONTHS = {
    "jan": 1,
    "feb": 2,
    "mar": 3,
    "apr": 4,
    "may": 5,
    "jun": 6,
    "jul": 7,
    "aug": 8,
    "sep": 9,
    "oct": 10,
    "nov": 11,
    "dec": 12,
}
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$")
_NAMED = re.compile(r"(\d{1,2})[- /]([A-Za-z]{3,9})[-, /]+(\d{4})(?: \d{1,2}:\d{2}(?::\d{2})?)?$")
_SERIAL = re.compile(r"\d{1,6}(?:\.\d+)?$")
_NOT_DETECTED = frozenset(
    {
        "tnd", "targetnotdetected", "notdetected", "undetectable", "undetected", "nondetectable", "virusnotdetected",
        "rnanotdetected", "hivnotdetected", "hiv1notdetected", "ldl", "bdl", "lldl", "belowdetectionlimit",
        "belowdetectablelimit", "belowthedetectionlimit", "belowlimitofdetection", "belowthelimitofdetection",
        "belowdetectablelevel", "lowerthandetectablelimit", "lowerthandetectionlimit", "lessthandetectablelimit",
        "lessthandetectionlimit", "lowdetectablelevel", "lowerdetectablelimit",
    }
)  # fmt: skip
"""Words for a viral load too low to be measured, by their letters and digits: below 1 copy/mL."""
_COPIES = re.compile(r"\s*(?:copies|copy|cps|cp|c)\s*/\s*ml\s*$", re.IGNORECASE)
_CENSORED = re.compile(r"([<>])=?\s*([\d.,eE+]+)$")
_WHOLE = re.compile(r"([+-]?\d+)\.0*$")
_TRUE = frozenset({"1", "true", "yes", "y", "t"})
_FALSE = frozenset({"0", "false", "no", "n", "f"})


class BadValueError(Exception):
    """A cell that does not hold what its field needs."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def text(cell: object) -> str:
    """The cell as text, without spaces around; a whole number of a workbook without its decimals."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == time(0):
        return cell.date().isoformat()
    return str(cell)


def whole_number(cell: object) -> str:
    """An identifier saved as a decimal number, without its empty decimals: ``29872499824296.0``, ``2.98E+4``."""
    found = text(cell)
    if match := _WHOLE.match(found):
        return match.group(1)
    if "e" in found.lower():
        try:
            number = float(found)
        except ValueError:
            return found
        # Beyond 15 digits a spreadsheet has already lost some: two people could become one.
        if number.is_integer() and abs(number) < 1e15:  # noqa: PLR2004
            return str(int(number))
        remedy = "format the column as text or number before saving it"
        problem = "the identifier was saved in scientific notation and has lost digits"
        raise BadValueError(problem, remedy)
    return found


def day(cell: object, formats: tuple[str, ...]) -> date:
    """The date in a cell, by the first of ``formats`` that fits.

    Args:
        cell: text, or what a workbook stores: a date, or a serial number of days since 1899-12-30.
        formats: ``iso`` (2015-06-08, with or without a time, whose date is taken as written), ``dd-Mon-yyyy``,
        ``excel``
            (serial numbers written as text), or a ``strptime`` pattern such as ``%d/%m/%Y``.
    """
    if isinstance(cell, datetime):
        return _within(cell.date())
    if isinstance(cell, date):
        return _within(cell)
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return _serial(float(cell))
    return _day_of_text(text(cell), formats)


@lru_cache(maxsize=65536)
def _day_of_text(found: str, formats: tuple[str, ...]) -> date:
    for name in formats:
        try:
            if name == "iso":
                if match := _ISO.match(found):
                    return _within(date(int(match[1]), int(match[2]), int(match[3])))
            elif name == "dd-Mon-yyyy":
                if (match := _NAMED.match(found)) and (month := MONTHS.get(match[2][:3].lower())):
                    return _within(date(int(match[3]), month, int(match[1])))
            elif name == "excel":
                if _SERIAL.match(found):
                    return _serial(float(found))
            else:
                return _within(datetime.strptime(found, name).date())  # noqa: DTZ007 - a date of care, no time
        except ValueError:
            continue
    remedy = f"write it as one of: {', '.join(formats)}; or name its form in the mapping under 'date_formats'"
    problem = "not a date in a form that the mapping names"
    raise BadValueError(problem, remedy)


def _serial(number: float) -> date:
    if not (math.isfinite(number) and EXCEL_LEAST <= number <= EXCEL_MOST):
        problem = "a number that is no spreadsheet date"
        raise BadValueError(problem, "format the column as a date, or write 2015-06-08")
    return _within(EXCEL_EPOCH + timedelta(days=int(number)))


def _within(found: date) -> date:
    if not EARLIEST <= found < LATEST:
        problem = f"a date outside {EARLIEST.year}-{LATEST.year}"
        raise BadValueError(problem, "correct the year")
    return found


def moment(cell: object, formats: tuple[str, ...]) -> datetime:
    """The date and time in a cell; without a time it is midnight, without a zone it is left without one."""
    if isinstance(cell, datetime):
        _within(cell.date())
        return cell
    found = text(cell) if isinstance(cell, str) else ""
    if len(found) > len("2015-06-08"):
        try:
            parsed = datetime.fromisoformat(found)
        except ValueError:
            parsed = None
        if parsed is not None:
            _within(parsed.date())
            return parsed
    return datetime.combine(day(cell, formats), time(0))


def number(cell: object) -> float:
    """A finite number, with a decimal point; thousands may be set apart by commas or spaces."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        found = float(cell)
    else:
        raw = text(cell)
        if re.fullmatch(r"[+-]?\d{1,3}([, ]\d{3})+(\.\d+)?", raw):
            raw = raw.replace(",", "").replace(" ", "")
        try:
            # float() also takes 1_000 and words such as 'infinity'.
            found = math.nan if "_" in raw else float(raw)
        except ValueError:
            found = math.nan
    if not math.isfinite(found):
        problem = "not a number"
        raise BadValueError(problem, "write digits with a decimal point, or map the text under 'values'")
    return found


def measured(cell: object) -> tuple[float, str | None]:
    """A result: its number, and ``<`` or ``>`` when it is only known to lie below or above (``<20`` copies/mL).

    Words for "too low to be measured" (``TND``, ``<LDL``, ``below detection limit``) are below 1; the unit copies/mL
    may stand behind the number.
    """
    if isinstance(cell, str):
        if "".join(filter(str.isalnum, cell.casefold())) in _NOT_DETECTED:
            return 1.0, "<"
        cell = _COPIES.sub("", cell.strip())
        if match := _CENSORED.match(cell):
            return number(match[2]), match[1]
    return number(cell), None


def integer(cell: object) -> int:
    """A whole number that PostgreSQL's integer holds."""
    found = number(cell)
    if not found.is_integer() or abs(found) >= 2**31:
        problem = "not a whole number"
        raise BadValueError(problem, "write a whole number")
    return int(found)


def days(cell: object, unit: str) -> int:
    """A supply in days; months are 30 days, weeks 7."""
    found = number(cell) * {"days": 1, "weeks": 7, "months": DAYS_A_MONTH}[unit]
    if found < 0:
        problem = "a negative supply"
        raise BadValueError(problem, "write how many days of treatment were handed out")
    if found > 3660:  # noqa: PLR2004 - ten years: a unit gone wrong
        problem = "a supply of over ten years"
        raise BadValueError(problem, "check the unit: days or months")
    return round(found)


def boolean(cell: object) -> bool:
    """Yes or no."""
    found = text(cell).lower()
    if found in _TRUE:
        return True
    if found in _FALSE:
        return False
    problem = "neither yes nor no"
    raise BadValueError(problem, "write yes or no, or map the text under 'values'")


def birth_from_age(age: object, at: date) -> date:
    """The estimated birthdate of someone ``age`` years old at a date: 1 January, as OpenMRS estimates it."""
    years = number(age)
    if not 0 <= years <= 120:  # noqa: PLR2004 - nobody known has lived longer
        problem = "an age outside 0-120 years"
        raise BadValueError(problem, "correct the age")
    return date(at.year - int(years), 1, 1)
