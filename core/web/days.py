"""Days and instants in the API: in ISO form, never as a number, and within the years that all dates share.

Pydantic reads a number, and a text of digits, as seconds since 1970: ``since=20261101`` meant a day in August 1970.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError

from core.errors import FieldError, Invalid, phrase

FIRST_YEAR = 1900
LAST_YEAR = 2199
"""The first and the last year of a day. A day outside is a typing error, or a source's word for "never"."""

DAY_REMEDY = phrase("Send a day from {first}-01-01 to {last}-12-31.", first=FIRST_YEAR, last=LAST_YEAR)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}", re.ASCII)


class ImplausibleError(ValueError):
    """The day or instant is out of range. ``remedy`` goes into the API's answer."""

    remedy = DAY_REMEDY


def plausible(day: date) -> date:
    """Return ``day`` if its year is plausible.

    Raises:
        ImplausibleError: its year is not plausible.
    """
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        message = phrase("the year must be from {first} to {last}", first=FIRST_YEAR, last=LAST_YEAR)
        raise ImplausibleError(message)
    return day


def plausible_instant(moment: datetime) -> datetime:
    """Return ``moment`` if its year is plausible in UTC.

    Raises:
        ImplausibleError: it is not.
    """
    try:
        plausible(moment.astimezone(UTC).date())
    except OverflowError as error:
        message = phrase("the year must be from {first} to {last}", first=FIRST_YEAR, last=LAST_YEAR)
        raise ImplausibleError(message) from error
    return moment


def check_order(first: str, low: object, last: str, high: object) -> None:
    """Check that a range does not end before it starts. A range without one of its ends is open there.

    Args:
        first: name of the field with the beginning, for the error.
        low: the beginning.
        last: name of the field with the end.
        high: the end, of the same type.

    Raises:
        Invalid: the range ends before it starts.
    """
    if low is not None and high is not None and high < low:  # type: ignore[operator]  # both of one ordered type
        problem, remedy = (
            phrase("lies before {first}", first=first),
            phrase("Send {first} up to {last}.", first=first, last=last),
        )
        detail = phrase("the range ends before it starts: {last} lies before {first}", last=last, first=first)
        raise Invalid(detail, remedy=remedy, errors=[FieldError(last, problem, remedy)])


def _iso_day(value: object) -> object:
    if isinstance(value, datetime) or not isinstance(value, str | date):
        raise PydanticCustomError("date_type", "Input should be a date as YYYY-MM-DD")
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise PydanticCustomError("date_parsing", "Input should be a date as YYYY-MM-DD")
    return value


def _iso_instant(value: object) -> object:
    if not isinstance(value, str | datetime) or (isinstance(value, str) and not _INSTANT.match(value)):
        raise PydanticCustomError("datetime_parsing", "Input should be a time as YYYY-MM-DDThh:mm:ssZ")
    return value


IsoDay = Annotated[date, BeforeValidator(_iso_day), AfterValidator(plausible)]
"""A day, in a parameter or a body."""

IsoInstant = Annotated[AwareDatetime, BeforeValidator(_iso_instant), AfterValidator(plausible_instant)]
"""An instant with its zone, in a parameter or a body."""
