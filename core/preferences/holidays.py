"""The type of settings that hold holidays: days with their names."""

from datetime import date
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, StringConstraints

MOST_HOLIDAYS: Final = 400
LONGEST_NAME: Final = 80


def _named(value: object) -> object:
    """Give the days of a list empty names."""
    if isinstance(value, list | tuple) and all(isinstance(day, str | date) for day in value):
        return dict.fromkeys(value, "")
    return value


Holidays = Annotated[
    dict[date, Annotated[str, StringConstraints(strip_whitespace=True, max_length=LONGEST_NAME)]],
    Field(max_length=MOST_HOLIDAYS),
    BeforeValidator(_named),
]
"""Day -> its name. A list of days gives them no names."""
