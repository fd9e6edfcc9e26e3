"""Texts of errors and of stored records in the reader's language.

Services, jobs and the database keep texts in English, because they make them for nobody in particular. A text is either
a constant of the catalogue, or was made from a template of the catalogue (``core.errors.phrase``). A ``Phrase``
remembers its template; of any other text, this module finds the template by the literal parts that the text has.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from string import Formatter
from typing import TYPE_CHECKING, Final

from core.errors.phrases import Phrase
from core.web.texts import SOURCE, form_for, gettext, language, reading_in, shown_date, shown_number, sources

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST: Final = 2000
"""The most characters of a text that is compared with the templates. A longer one stays as it is."""

TEXT_PLACES: Final = frozenset({"age", "month", "problem", "remedy", "span", "weekday", "what", "why"})
"""Places of templates at which there is a text of the catalogue again. What stands at other places is data."""

_COUNT: Final = "count"
_FEWEST_LETTERS: Final = 8
"""A template with fewer literal letters, and without places of known texts, would fit texts that are not made of it."""

_MOST_KNOWN: Final = 4096
_BETWEEN: Final = re.compile(r"(?<=[.!?]) (?=[A-Z])")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_NUMBER: Final = re.compile(r"\d{1,3}(?:,\d{3})+|\d+")
_SEPARATED: Final = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+)")


def shown_phrase(text: str) -> str:
    """Return the text of an error in the reader's language, whether it was just made or was stored."""
    if language() == SOURCE:
        return text
    if not isinstance(text, Phrase):
        return shown_stored(text)
    if text.plural is not None:
        translated = form_for(text.template, text.plural, text.places[_COUNT])
    elif (translated := gettext(text.template)) == text.template:
        return text  # as it was filled, with the forms of English numbers
    if not text.places:
        return translated
    quoted = {name for _, name, _, conversion in Formatter().parse(text.template) if conversion == "r"}
    places = {name: repr(value) if name in quoted else _shown_place(name, value) for name, value in text.places.items()}
    return _filled(translated, places)


def shown_stored(text: str) -> str:
    """Return a text that was stored in English in the reader's language; as it is if the catalogue does not have it."""
    if language() == SOURCE:
        return text
    return text if (shown := _translation(str(text), language())) is None else shown


def shown_sentences(text: str) -> str:
    """Return a stored text of one or more sentences in the reader's language; each may have a template of its own."""
    return " ".join(shown_stored(one) for one in _BETWEEN.split(text))


def is_known(text: str, code: str) -> bool:
    """Return whether the catalogue of a language has a stored text, or the template that it was made from."""
    return _translation(text, code) is not None


def _shown_place(name: str, value: object) -> str:
    if isinstance(value, str):
        return shown_phrase(value) if name in TEXT_PLACES or isinstance(value, Phrase) else value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return shown_number(value, 0 if float(value).is_integer() else 3)
    return shown_date(value) if isinstance(value, date) else str(value)


@lru_cache(maxsize=_MOST_KNOWN)
def _translation(text: str, code: str) -> str | None:
    """The translation of a stored text; None if the catalogue has neither it nor its template."""
    if not text or len(text) > LONGEST:
        return None
    with reading_in(code):
        if text in _constants(code):
            return gettext(text)
        for template in _templates(code):
            values = template.values_in(text)
            shown = None if values is None else template.shown(values, code)
            if shown is not None:
                return shown
    return None


@dataclass(frozen=True, slots=True)
class _Template:
    """A text of the catalogue with places.

    Attributes:
        forms: the text, or both forms of a counted text.
        first: the literal text before the first place.
        rest: each place, with the literal text after it.
    """

    forms: tuple[str, ...]
    first: str
    rest: tuple[tuple[str, str], ...]

    @property
    def letters(self) -> int:
        """The number of literal letters."""
        return sum(letter.isalpha() for part in (self.first, *(after for _, after in self.rest)) for letter in part)

    @property
    def is_distinct(self) -> bool:
        """Whether a text that fits was made from this template, as good as certainly."""
        names = {name for name, _ in self.rest}
        if not names or any(not after for _, after in self.rest[:-1]):
            return False
        return self.letters >= _FEWEST_LETTERS or bool(names & TEXT_PLACES) or len(self.forms) > 1

    def values_in(self, text: str) -> dict[str, str] | None:
        """The values at the places of a text; None if the text does not fit. Takes time in proportion to the text."""
        if not text.startswith(self.first) or not text.endswith(self.rest[-1][1]):
            return None
        values: dict[str, str] = {}
        begin, last = len(self.first), len(text) - len(self.rest[-1][1])
        for number, (name, after) in enumerate(self.rest, start=1):
            end = last if number == len(self.rest) else text.find(after, begin, last)
            if end <= begin or values.setdefault(name, text[begin:end]) != text[begin:end]:
                return None
            begin = end + len(after)
        return values

    def shown(self, values: Mapping[str, str], code: str) -> str | None:
        """The translation with these values; None if one of them is not what its place needs."""
        shown = {
            name: _translation(value, code) if name in TEXT_PLACES else _shown_value(value)
            for name, value in values.items()
        }
        known = {name: value for name, value in shown.items() if value is not None}
        if len(known) < len(shown):
            return None
        if len(self.forms) == 1:
            return _filled(gettext(self.forms[0]), known)
        if not _NUMBER.fullmatch(values.get(_COUNT, "")):
            return None
        count = int(values[_COUNT].replace(",", ""))
        return _filled(form_for(self.forms[0], self.forms[1], count), {**known, _COUNT: shown_number(count)})


def _shown_value(value: str) -> str:
    """A value as it is; a day, or a number with English separators, in the form of the reader's language."""
    if _DAY.fullmatch(value):
        with suppress(ValueError):
            return shown_date(date.fromisoformat(value))
    match = _SEPARATED.fullmatch(value)
    if match is None:
        return value
    digits = len(match[2].partition(".")[2])
    return f"{match[1]}{shown_number(float(match[2].replace(',', '')), digits)}"


def _filled(template: str, values: Mapping[str, str]) -> str:
    """A translated template with values that are texts already: the forms that its English places ask for are over."""
    parts = Formatter().parse(template)
    return "".join(f"{literal}{'' if name is None else values[name]}" for literal, name, _, _ in parts)


@cache
def _constants(code: str) -> frozenset[str]:
    return frozenset(text for text in sources(code) if isinstance(text, str))


@cache
def _templates(code: str) -> tuple[_Template, ...]:
    """The templates of a catalogue, those with most literal letters first."""
    parsed = (
        _parsed(form, forms)
        for forms in ((text,) if isinstance(text, str) else text for text in sources(code))
        for form in forms
        if "{" in form
    )
    distinct = {(one.first, one.rest): one for one in parsed if one is not None and one.is_distinct}
    return tuple(sorted(distinct.values(), key=lambda one: (-one.letters, one.first, one.rest)))


def _parsed(form: str, forms: tuple[str, ...]) -> _Template | None:
    try:
        parts = [(literal, name) for literal, name, _, _ in Formatter().parse(form)]
    except ValueError:
        return None
    literals, names = [""], []
    for literal, name in parts:
        literals[-1] += literal  # the parser ends a literal at each brace that the form shows as "{{" or "}}"
        if name is not None:
            names.append(name)
            literals.append("")
    return _Template(forms, literals[0], tuple(zip(names, literals[1:], strict=True)))
