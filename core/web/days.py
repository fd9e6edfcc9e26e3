"""Days and instants in the API: in ISO form, never as a number.

Pydantic reads a number, and a text of digits, as seconds since 1970: ``since=20261101`` meant a day in August 1970.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}", re.ASCII)


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


IsoDay = Annotated[date, BeforeValidator(_iso_day)]
"""A day, in a parameter or a body."""

IsoInstant = Annotated[AwareDatetime, BeforeValidator(_iso_instant)]
"""An instant with its zone, in a parameter or a body."""
