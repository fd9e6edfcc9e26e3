"""Read typed values from nested records (JSON, XML). An error names the place of a wrong value, never the value."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

from tenants.imports.facts import Rejection
from tenants.imports.reading import values
from tenants.imports.reading.numbered_dates import numbered, order_formats
from tenants.imports.reading.values import BadValueError, NotRecordedError
from tenants.records.storable import text_problem

if TYPE_CHECKING:
    from tenants.imports.facts import Reading
    from tenants.imports.mapping import Mapping as ImportMapping

DATES = ("iso", "dd-Mon-yyyy", "%b %d, %Y %I:%M:%S %p")
"""The date formats of exports; the last is the default of Java's JSON libraries.

None has a numbered month in the middle or in front: only a mapping can say whether 03/04/2024 is in March or April.
"""
MILLISECONDS_FROM = 10**10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2}))?$")
_FALSE = frozenset({"", "0", "0.0", "false", "no", "n", "f"})
_T = TypeVar("_T")
_P = ParamSpec("_P")


class BadFieldError(Exception):
    """A field with a wrong value."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.problem)
        self.rejection = rejection


class Labels(Mapping[str, str]):
    """The labels of a record's fields in the report: their places in the document.

    Args:
        names: our field -> the source's name; other fields keep our name.
        prefix: the record's place, such as ``messageData.obs[3].``.
        suffix: name of the document, if a file has several.
    """

    __slots__ = ("_names", "_prefix", "_suffix")

    def __init__(self, names: Mapping[str, str], prefix: str = "", suffix: str = "") -> None:
        self._names, self._prefix, self._suffix = names, prefix, suffix

    def __getitem__(self, field: str) -> str:
        """The place of a field."""
        return f"{self._prefix}{self._names.get(field, field)}{self._suffix}"

    def __iter__(self) -> Iterator[str]:
        """The fields with their own name."""
        return iter(self._names)

    def __len__(self) -> int:
        """Never zero: every field has a place."""
        return max(1, len(self._names))

    def get(self, field: str, default: object = None) -> Any:  # noqa: ANN401, ARG002 - the signature of a mapping
        """The place of a field; every field has one."""
        return self[field]


@lru_cache(maxsize=16_384)
def fold(text: str) -> str:
    """A name reduced to letters and digits."""
    return "".join(character for character in text.casefold() if character.isalnum())


@dataclass(slots=True)
class Terms:
    """Rules to read the values of a document: the zone of its days, texts that mean "missing", date formats."""

    zone: ZoneInfo | None = None
    missing: frozenset[str] = frozenset({""})
    formats: tuple[str, ...] = DATES

    @classmethod
    def of(cls, mapping: ImportMapping) -> Terms:
        """The terms of a mapping."""
        return cls(
            ZoneInfo(mapping.time_zone) if mapping.time_zone else None,
            frozenset(mapping.missing) | {""},
            _forms(mapping),
        )


def _forms(mapping: ImportMapping) -> tuple[str, ...]:
    if "date_formats" in mapping.model_fields_set:
        return tuple(mapping.date_formats)
    return (*DATES, *order_formats(mapping.dates)) if mapping.dates else DATES


class Fields:
    """One record: names -> values, with its place in the document."""

    __slots__ = ("_content", "path", "suffix", "terms")

    def __init__(self, content: Mapping[str, Any], path: str, suffix: str, terms: Terms) -> None:
        self._content, self.path, self.suffix, self.terms = content, path, suffix, terms

    def labels(self, names: Mapping[str, str]) -> Labels:
        """The labels of the record's fields, by our names."""
        return Labels(names, f"{self.path}." if self.path else "", self.suffix)

    def place(self, name: str) -> str:
        """The place of one field."""
        return f"{self.path}.{name}{self.suffix}" if self.path else f"{name}{self.suffix}"

    def bad(self, name: str, problem: str, remedy: str) -> BadFieldError:
        """Return the error of a wrong field."""
        return BadFieldError(Rejection(self.place(name), problem, remedy))

    def raw(self, *names: str) -> tuple[str, Any]:
        """The first of these fields with a value, and the value (None if none has one)."""
        for name in names:
            value = self._content.get(name)
            if value is None or (
                isinstance(value, str) and (values.clean(value) in self.terms.missing or is_zero_date(value))
            ):
                continue
            return name, value
        return names[0], None

    def record(self, name: str) -> Fields:
        """A record within the record; empty if it is missing."""
        content = self._content.get(name)
        path = f"{self.path}.{name}" if self.path else name
        return Fields(content if isinstance(content, dict) else {}, path, self.suffix, self.terms)

    def each(
        self, name: str, rejections: list[Rejection], unwanted: Callable[[Mapping[str, Any]], bool] | None = None
    ) -> Iterator[tuple[int, Fields]]:
        """The records of a list, by their place in it.

        An item that is not a record is rejected. An unwanted one is skipped.
        """
        items = self._content.get(name)
        if items is None:
            return
        path = f"{self.path}.{name}" if self.path else name
        for number, item in enumerate(items if isinstance(items, list) else [items]):
            if isinstance(item, dict):
                if unwanted is None or not unwanted(item):
                    yield number, Fields(item, f"{path}[{number}]", self.suffix, self.terms)
            else:
                place = f"{path}[{number}]{self.suffix}"
                rejections.append(Rejection(place, "it is not a record of fields", "export the file again"))

    def _read(self, names: tuple[str, ...], convert: Callable[[Any], _T]) -> _T | None:
        name, value = self.raw(*names)
        if value is None:
            return None
        try:
            return convert(value)
        except NotRecordedError:
            return None
        except BadValueError as bad:
            raise self.bad(name, bad.problem, bad.remedy) from bad

    def text(self, *names: str) -> str | None:
        """A text, or a number as text."""
        return self._read(names, text)

    def needed(self, *names: str) -> str:
        """A required text: an identifier."""
        identifier = self.text(*names)
        if identifier is None:
            raise self.bad(names[0], "the identifier is missing", "fill it in: a record without it belongs to nobody")
        return identifier

    def flag(self, *names: str) -> bool:
        """Whether any of these fields says yes; an empty field means no."""
        return any(is_true(self._content.get(name)) for name in names)

    def moment(self, *names: str) -> datetime | None:
        """A time; if the source names a zone, in the zone of the terms."""
        return self._read(names, lambda value: moment(value, self.terms))

    def day(self, *names: str) -> date | None:
        """A day, in the zone of the terms."""
        moment = self.moment(*names)
        return None if moment is None else moment.date()

    def needed_moment(self, *names: str) -> datetime:
        """A required time."""
        moment = self.moment(*names)
        if moment is None:
            raise self.bad(names[0], "the date is missing", "fill it in")
        return moment

    def days(self, *names: str) -> int | None:
        """A supply in days."""
        return self._read(names, lambda value: values.days(value, "days"))


def each_of(rejections: list[Rejection], read: Callable[_P, _T], *args: _P.args, **words: _P.kwargs) -> _T | None:
    """Return the result of ``read``. If a field is wrong, return None, and add the reason to the rejections."""
    try:
        return read(*args, **words)
    except BadFieldError as bad:
        rejections.append(bad.rejection)
        return None


def text(value: object) -> str:
    """Return a text that can be stored.

    Raises:
        BadValueError: it is neither a text nor a number, is too long, or has a control character.
    """
    if isinstance(value, dict | list | bytes):
        problem = "not a text"
        raise BadValueError(problem, "export the file again")
    cleaned = values.text(value)
    if (bad := text_problem(cleaned)) is not None:
        raise BadValueError(*bad)
    return cleaned


def is_zero_date(text: str) -> bool:
    """Whether a text is the zero date that MySQL writes for a missing date."""
    return text.startswith("0000-00-00")


def is_true(value: object) -> bool:
    """Whether a flag is set. Any value counts as set, such as true, 1, "1" or "yes", unless it means no."""
    if isinstance(value, str):
        return value.strip().casefold() not in _FALSE
    return bool(value)


def moment(value: object, terms: Terms) -> datetime:
    """Return a time of an export: a text, milliseconds since 1970, or MongoDB's ``{"$date": ...}``.

    A text without a zone stays without one; a text with a zone is converted to the zone of the terms.

    Raises:
        BadValueError: it is no such time.
    """
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
        if isinstance(value, dict) and len(value) == 1:
            value = next(iter(value.values()))
            value = int(value) if isinstance(value, str) and value.lstrip("-").isdigit() and len(value) < 16 else value  # noqa: PLR2004
    if isinstance(value, bool) or not isinstance(value, str | int | float | date):
        problem = "not a date"
        raise BadValueError(problem, "write it as 2015-06-08 or 2015-06-08 14:30:00")
    if isinstance(value, int | float) and abs(value) >= MILLISECONDS_FROM:
        try:
            time = _EPOCH + timedelta(milliseconds=float(value))
        except (OverflowError, ValueError) as error:
            problem = "a number that is not a time"
            raise BadValueError(problem, "write the date as text") from error
        values.day(time.date(), ())
    elif isinstance(value, int | float):
        problem = "a number where a date is expected"
        raise BadValueError(problem, "write the date as text, such as 2015-06-08")
    elif terms.formats is DATES and numbered(value):
        problem = "a date with a numbered month, and nothing says whether the day or the month comes first"
        remedy = (
            "name its form in the mapping, such as 'date_formats: [iso, \"%d/%m/%Y\"]', or export dates as yyyy-mm-dd"
        )
        raise BadValueError(problem, remedy)
    else:
        time = _moment_of_text(value, terms)
    if time.tzinfo is None:
        return time
    try:
        return time.astimezone(terms.zone) if terms.zone is not None else time
    except (OverflowError, ValueError) as error:
        problem = "a time out of range"
        raise BadValueError(problem, "correct the year") from error


def _moment_of_text(value: str | date, terms: Terms) -> datetime:
    try:
        return values.moment(value, terms.formats)
    except values.UnknownFormError as error:
        if terms.formats is not DATES:
            raise
        problem = "not a date in a form that can be read"
        raise BadValueError(problem, "write it as 2015-06-08 or 2015-06-08 14:30:00") from error


def birth(value: object, terms: Terms) -> tuple[date, bool]:
    """Return a date of birth, and whether it is estimated: a year or a month alone becomes its first day.

    Raises:
        BadValueError: it is not a date.
    """
    if isinstance(value, str) and (match := _PARTIAL.match(value.strip())):
        try:
            return values.day(date(int(match[1]), int(match[2] or 1), 1), ()), True
        except ValueError as error:
            problem = "not a date"
            raise BadValueError(problem, "write it as 2015-06-08") from error
    return moment(value, terms).date(), False


def whole_day(day: date) -> datetime:
    """The time at which a day begins, without a zone."""
    return datetime.combine(day, time(0))


def reject(reading: Reading, field: str, problem: str, remedy: str) -> Reading:
    """Reject the whole reading, and return it."""
    reading.facts.clear()
    reading.rejections.append(Rejection(field, problem, remedy))
    return reading
