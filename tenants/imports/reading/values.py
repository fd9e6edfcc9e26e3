"""Convert cells to values: dates in the forms that exports use, numbers, codes, supplies in days.

Each converter takes the content of a cell (text, or what a workbook stores) and returns the value, or raises
``BadValueError`` with the problem and the remedy. No message repeats the cell: a report of rejected rows carries no
personal data.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple

from core.clock import now
from core.errors import phrase
from core.web.spreadsheets import unguarded
from tenants.imports.reading.long_numbers import LOST_DIGITS, is_rounded, written_out

EARLIEST = date(1900, 1, 1)
LATEST = date(2200, 1, 1)
EXCEL_EPOCH = date(1899, 12, 30)
EXCEL_LEAST, EXCEL_MOST = 1, 109_574
DAYS_A_MONTH = 30
"""Days in a month of refill, as programmes count multi-month dispensing (3 months are 90 days)."""
MOST_DAYS = 366
"""Most days of treatment that one pick-up can hand out, because no programme gives more than a year's."""
_NO_FRACTION = 1e-6
"""The largest difference from a whole number of days that is ignored, because the result of a formula may miss it
slightly.
"""

_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
MONTHS = {name[:3]: number for number, name in enumerate(_MONTH_NAMES, start=1)}
MONTHS |= {name: number for number, name in enumerate(_MONTH_NAMES, start=1)} | {"sept": 9}
"""Months by the names that English gives them, in full and short. ``Sept`` is what Java and British Excel write."""

NOT_RECORDED = frozenset({date(1900, 1, 1), date(1899, 12, 30), date(1899, 12, 31)})
"""Days that databases and spreadsheets write where no date was recorded."""
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?$")
_NAMED = re.compile(r"(\d{1,2})[- /]([A-Za-z]{3,9})\.?[-, /]+(\d{4}|\d{2})(?: \d{1,2}:\d{2}(?::\d{2})?)?$")
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
_YEAR = re.compile(r"(?:19|20|21)\d{2}$")
_SHORT_YEAR = re.compile(r"%y")
_DATE_FORMS = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?$"
    r"|\d{1,2}[/.]\d{1,2}[/.](?:19|20)\d{2}(?: \d{1,2}:\d{2}(?::\d{2})?)?$"
    r"|\d{1,2}-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?:-(?:\d{2}|\d{4}))?$"
)
"""The dates that a spreadsheet makes of codes such as MAR1 or 3/12, in the form in which it saves them."""
_MARKS = str.maketrans(
    dict.fromkeys([0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, 0x180E, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], " ")
    | dict.fromkeys([0x00AD, 0x200C, 0x200D], None)
)
"""Marks without width, as in texts copied from web pages and PDFs. A space replaces them, except inside words."""
_CENSORED = re.compile(r"([<>])=?\s*([\d.,eE+]+)$")
_WHOLE = re.compile(r"([+-]?\d+)(?:\.0*|,0{1,2})$")
_TRUE = frozenset({"1", "true", "yes", "y", "t"})
_FALSE = frozenset({"0", "false", "no", "n", "f"})


class Unreadable(NamedTuple):
    """A cell without a usable value: the problem, and the remedy."""

    problem: str
    remedy: str


class BadValueError(Exception):
    """Error: the cell has no valid value for its field."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


class UnknownFormError(BadValueError):
    """Error: a text is a date in none of the forms that are read."""


class NotRecordedError(BadValueError):
    """Error: the date is a placeholder for a missing one, such as 1900-01-01."""

    def __init__(self) -> None:
        super().__init__("the date is a placeholder for a missing one", "fill in the date")


def clean(text_value: str) -> str:
    """The text without white space around it, and with single spaces inside.

    White space means spaces of any width, no-break spaces, marks without width, and line breaks inside a cell. The
    apostrophe that our exports put before a formula is removed.
    """
    if text_value.isascii() and text_value.isprintable():
        cleaned = text_value.strip() if "  " not in text_value else " ".join(text_value.split())
    else:
        cleaned = " ".join(text_value.translate(_MARKS).split())
    return unguarded(cleaned) if cleaned[:1] == "'" else cleaned


def text(cell: object) -> str:
    """The cell as clean text; a whole number of a workbook has no decimals."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return clean(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == time(0):
        return cell.date().isoformat()
    return str(cell)


def whole_number(cell: object) -> str:
    """An identifier saved as a decimal number, without its empty decimals: ``29872499824296.0``."""
    digits = identifier(cell)
    if match := _WHOLE.match(digits):
        return match.group(1)
    return digits


def identifier(cell: object) -> str:
    """The identifier in a cell, unchanged.

    Raises:
        BadValueError: a spreadsheet has changed it to a date, or to a number that has lost digits.
    """
    if isinstance(cell, date) or (isinstance(cell, str) and _DATE_FORMS.match(cell.strip())):
        problem = "the cell holds a date where an identifier is expected: a spreadsheet has changed it"
        raise BadValueError(problem, "format the column as text, and type the identifier again")
    original = text(cell)
    is_long = isinstance(cell, int | float) and not isinstance(cell, bool) and abs(cell) >= LOST_DIGITS
    if is_long or is_rounded(original):
        problem = "a number of more than 15 digits, of which a spreadsheet keeps only 15"
        raise BadValueError(problem, "format the column as text, and enter the identifiers again")
    written = written_out(original)
    if written is not None:
        return written
    problem = "the identifier was saved in scientific notation and has lost digits"
    raise BadValueError(problem, "format the column as text, and export it again from the system that it comes from")


def day(cell: object, formats: tuple[str, ...], *, born: bool = False) -> date:
    """The date in a cell, by the first of ``formats`` that fits.

    Args:
        cell: text, or what a workbook stores: a date, or a serial number of days since 1899-12-30.
        formats: ``iso`` (2015-06-08, with or without a time, whose date is taken as written), ``dd-Mon-yyyy``,
            ``excel`` (serial numbers written as text), or a ``strptime`` pattern such as ``%d/%m/%Y``.
        born: whether it is a date of birth. A two-digit year is then the latest one that is not in the future; else the
            nearest one.

    Raises:
        NotRecordedError: the date is a placeholder for a missing one.
        UnknownFormError: the text has none of the forms.
        BadValueError: the cell has no date.
    """
    if isinstance(cell, datetime):
        return _within(cell.date())
    if isinstance(cell, date):
        return _within(cell)
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return _serial(float(cell))
    parts = _day_of_text(text(cell), formats)
    return parts if isinstance(parts, date) else short_year(*parts, born=born)


@lru_cache(maxsize=65536)
def _day_of_text(text_value: str, formats: tuple[str, ...]) -> date | tuple[int, int, int]:
    """The date; or day, month and year if the year has two digits."""
    for name in formats:
        try:
            read = _by_form(text_value, name)
        except ValueError:
            continue
        if read is not None:
            return read
    named = _NAMED.match(text_value) if "dd-Mon-yyyy" in formats else None
    if ("iso" in formats and _ISO.match(text_value)) or (named is not None and named[2].lower() in MONTHS):
        problem = "not a day of the calendar"
        raise BadValueError(problem, "correct the date")
    if _YEAR.match(text_value):
        raise _year_alone()
    remedy = phrase(
        "write it as one of: {listed}; or name its form in the mapping under 'date_formats'", listed=", ".join(formats)
    )
    problem = "not a date in a form that the mapping names"
    raise UnknownFormError(problem, remedy)


def _by_form(text_value: str, form: str) -> date | tuple[int, int, int] | None:
    """The date in one form; None if the text does not have this form."""
    if form == "iso":
        match = _ISO.match(text_value)
        return None if match is None else _within(date(int(match[1]), int(match[2]), int(match[3])))
    if form == "dd-Mon-yyyy":
        return _named_day(text_value)
    if form == "excel":
        return _serial(float(text_value)) if _SERIAL.match(text_value) else None
    parsed = datetime.strptime(_short_month(text_value), form).date()  # noqa: DTZ007 - a date of care, no time
    if _SHORT_YEAR.search(form):
        return parsed.day, parsed.month, parsed.year % 100
    return _within(parsed)


def _named_day(text_value: str) -> date | tuple[int, int, int] | None:
    match = _NAMED.match(text_value)
    month = MONTHS.get(match[2].lower()) if match is not None else None
    if match is None or month is None:
        return None
    if len(match[3]) == 2:  # noqa: PLR2004 - digits
        return int(match[1]), month, int(match[3])
    return _within(date(int(match[3]), month, int(match[1])))


def _short_month(text_value: str) -> str:
    """The text with ``Sep`` in place of ``Sept``, which ``strptime`` does not know."""
    return re.sub(r"(?i)\bsept\b", "Sep", text_value) if "sept" in text_value.casefold() else text_value


def short_year(day_of_month: int, month: int, year: int, *, born: bool = False) -> date:
    """The date with a two-digit year, in the only century that fits.

    A birth lies within the last hundred years; any other date in a list lies within fifty years of today.

    Raises:
        BadValueError: it is not a day of the calendar.
    """
    today = now().date()
    whole = today.year - today.year % 100 + year
    try:
        candidate = date(whole, month, day_of_month)
        if (born and candidate > today) or whole - today.year > 50:  # noqa: PLR2004 - half a century
            candidate = date(whole - 100, month, day_of_month)
        elif not born and today.year - whole > 50:  # noqa: PLR2004
            candidate = date(whole + 100, month, day_of_month)
    except ValueError:
        problem = "not a day of the calendar"
        raise BadValueError(problem, "correct the date") from None
    return _within(candidate)


def _serial(number: float) -> date:
    if number.is_integer() and _YEAR.match(str(int(number))):
        raise _year_alone()
    if not (math.isfinite(number) and EXCEL_LEAST <= number <= EXCEL_MOST):
        problem = "a number that is not a spreadsheet date"
        raise BadValueError(problem, "format the column as a date, or write 2015-06-08")
    return _within(EXCEL_EPOCH + timedelta(days=int(number)))


def _year_alone() -> BadValueError:
    return BadValueError("a year alone is not a day", "write the whole date, such as 2015-06-08")


def _within(day_value: date) -> date:
    if day_value in NOT_RECORDED:
        raise NotRecordedError
    if not EARLIEST <= day_value < LATEST:
        problem = phrase("a date outside {first}-{last}", first=EARLIEST.year, last=LATEST.year)
        raise BadValueError(problem, "correct the year")
    return day_value


def moment(cell: object, formats: tuple[str, ...]) -> datetime:
    """The date and time in a cell. A date alone means midnight; a time without a zone stays without one."""
    if isinstance(cell, datetime):
        _within(cell.date())
        return cell
    text_value = text(cell) if isinstance(cell, str) else ""
    if len(text_value) > len("2015-06-08"):
        try:
            parsed = datetime.fromisoformat(text_value)
        except ValueError:
            parsed = None
        if parsed is not None:
            _within(parsed.date())
            return parsed
    return datetime.combine(day(cell, formats), time(0))


def number(cell: object) -> float:
    """The finite number in a cell, with a decimal point; commas or spaces may separate thousands.

    A comma before the last one or two digits is a decimal comma, because it cannot separate thousands.
    """
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        value = float(cell)
    else:
        raw = text(cell)
        if re.fullmatch(r"[+-]?\d{1,3}([, ]\d{3})+(\.\d+)?", raw):
            raw = raw.replace(",", "").replace(" ", "")
        elif re.fullmatch(r"[+-]?\d+,\d{1,2}", raw):
            raw = raw.replace(",", ".")
        try:
            # float() would also accept 1_000 and words such as 'infinity'.
            value = math.nan if "_" in raw else float(raw)
        except ValueError:
            value = math.nan
    if not math.isfinite(value):
        problem = "not a number"
        raise BadValueError(problem, "write digits with a decimal point, or map the text under 'values'")
    return value + 0.0  # -0 is 0, and has its fingerprint


def measured(cell: object) -> tuple[float, str | None]:
    """A laboratory result: the number, and ``<`` or ``>`` if the result is below or above it (``<20`` copies/mL).

    Words for "too low to be measured" (``TND``, ``<LDL``, ``below detection limit``) count as below 1. The unit
    copies/mL may follow the number.
    """
    if isinstance(cell, str):
        if "".join(filter(str.isalnum, cell.casefold())) in _NOT_DETECTED:
            return 1.0, "<"
        cell = _COPIES.sub("", clean(cell))
        if match := _CENSORED.match(cell):
            return number(match[2]), match[1]
    return number(cell), None


def integer(cell: object) -> int:
    """The whole number in a cell, within the range of PostgreSQL's integer."""
    value = number(cell)
    if not value.is_integer() or abs(value) >= 2**31:
        problem = "not a whole number"
        raise BadValueError(problem, "write a whole number")
    return int(value)


def days(cell: object, unit: str) -> int:
    """A supply in days. A month counts as 30 days.

    Raises:
        BadValueError: the supply is not a number, is negative, is over a year, or has a fraction of a day.
    """
    value = number(cell) * {"days": 1, "weeks": 7, "months": DAYS_A_MONTH}[unit]
    if value < 0:
        problem = "a negative supply"
        raise BadValueError(problem, "write how many days of treatment were handed out")
    if value > MOST_DAYS:
        problem = phrase("a supply of more than {most} days", most=MOST_DAYS)
        raise BadValueError(problem, "correct it, and check the unit: days or months")
    if unit == "days" and abs(value - round(value)) > _NO_FRACTION:
        problem = "a supply of days with a fraction"
        raise BadValueError(problem, "write whole days, and check the unit: days or months")
    return round(value)


def boolean(cell: object) -> bool:
    """Whether a cell says yes; a word that is neither yes nor no is an error."""
    word = text(cell).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    problem = "neither yes nor no"
    raise BadValueError(problem, "write yes or no, or map the text under 'values'")


def birth_from_age(age: object, at: date) -> date:
    """The estimated birth date of a person of this age on a date: 1 January, as in OpenMRS."""
    years = number(age)
    if not 0 <= years <= 120:  # noqa: PLR2004 - nobody known has lived longer
        problem = "an age outside 0-120 years"
        raise BadValueError(problem, "correct the age")
    return date(at.year - int(years), 1, 1)
