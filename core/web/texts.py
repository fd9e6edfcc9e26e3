"""Texts, dates and numbers of pages in the reader's language.

The source of every text is English. Templates pass each text through ``_``; Python does so with ``gettext`` (imported
as ``_``) inside functions, and marks the texts of a table in a module with ``marked``. ``make texts`` gathers them in
the catalogues of ``core/web/catalogues``.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from http.cookies import CookieError, SimpleCookie
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping
    from typing import Any
    from zoneinfo import ZoneInfo

LANGUAGES: Final = {"en": "English", "fr": "Français", "pt": "Português"}
"""The languages of pages: code, and its name in itself."""

SOURCE: Final = "en"
COOKIE: Final = "iit_language"
"""The cookie that holds the language which the reader chose. It holds nothing else."""

CATALOGUES: Final = Path(__file__).with_name("catalogues")
_LOCALES: Final = {"en": "en_GB", "fr": "fr", "pt": "pt_PT"}
_MOST_WISHES: Final = 20


@dataclass(slots=True)
class _Reader:
    """Who reads.

    Attributes:
        code: their language.
        asked: whether they, or their browser, asked for a language that there is.
    """

    code: str = SOURCE
    asked: bool = False


_NOBODY: Final = _Reader()
_reader: Final[ContextVar[_Reader]] = ContextVar("reader", default=_NOBODY)

DateForm = Literal["short", "medium", "long", "full"]


@contextmanager
def reading_in(language: str | None) -> Iterator[None]:
    """Give texts, dates and numbers in ``language`` until the block ends; in English for None.

    Raises:
        KeyError: there is no such language.
    """
    code = SOURCE if language is None else language
    token = _reader.set(_Reader(code if code in LANGUAGES else _unknown(code), asked=language is not None))
    try:
        yield
    finally:
        _reader.reset(token)


def prefer(own: str | None, default: str | None = None) -> None:
    """Give the rest of the present block in the reader's own language, once it is known who reads.

    All threads of a request share the block.

    Args:
        own: the language that the reader chose for their account; it wins.
        default: for a reader who chose none, and whose browser asked for none; None for English.
    """
    reader = _reader.get()
    if reader is _NOBODY:
        return
    if own in LANGUAGES:
        reader.code = own
    elif default in LANGUAGES and not reader.asked:
        reader.code = default


def known(*codes: str | None) -> str:
    """Return the first of the codes that is a language of the pages; English if none is."""
    return next((code for code in codes if code in LANGUAGES), SOURCE)


def language() -> str:
    """Return the code of the reader's language."""
    return _reader.get().code


def gettext(text: str) -> str:
    """Return a text in the reader's language."""
    return _translations(_reader.get().code).gettext(text)


def ngettext(one: str, many: str, count: int) -> str:
    """Return the form of a counted text for ``count``, with ``{count}`` filled in."""
    return form_for(one, many, count).format(count=shown_number(count))


def form_for(one: str, many: str, count: int) -> str:
    """Return the form of a counted text for ``count`` in the reader's language, with its places unfilled."""
    return _translations(_reader.get().code).ngettext(one, many, count)


def marked(text: str) -> str:
    """Return ``text`` as it is. It marks a text of a module's table, which is translated where it is shown."""
    return text


def marked_forms(one: str, many: str) -> tuple[str, str]:
    """Return both forms of a counted text as they are; like ``marked``, it marks them for translation."""
    return one, many


def choices(table: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the codes of a table of marked texts, each with its text in the reader's language."""
    return [(code, gettext(text)) for code, text in table.items()]


def shown_date(day: date, form: DateForm = "medium") -> str:
    """Return a day such as ``4 May 2026``; ``full`` adds the day of the week, ``short`` is in digits."""
    from babel.dates import format_date

    return format_date(day, form, _LOCALES[_reader.get().code])


def shown_day(day: date) -> str:
    """Return a day of this year as people say it, such as ``Mon, 4 May``."""
    from babel.dates import format_skeleton

    return format_skeleton("MMMEd", datetime(day.year, day.month, day.day), locale=_LOCALES[_reader.get().code])  # noqa: DTZ001 - a day has no zone


def shown_month(day: date, *, year: bool = True, short: bool = False) -> str:
    """Return the month of a day, such as ``August 2026``, ``August`` or ``Aug 2026``."""
    from babel.dates import format_date, format_skeleton

    locale = _LOCALES[_reader.get().code]
    if not year:
        return format_date(day, "LLL" if short else "LLLL", locale)
    moment = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - a day has no zone
    return format_skeleton("yMMM" if short else "yMMMM", moment, locale=locale)


def shown_time(moment: datetime, zone: ZoneInfo) -> str:
    """Return a moment such as ``4 May 2026, 14:05``, as the clocks of ``zone`` showed it."""
    from babel.dates import format_datetime

    locale = _LOCALES[_reader.get().code]
    return f"{shown_date(moment.astimezone(zone).date())}, {format_datetime(moment, 'HH:mm', zone, locale)}"


def shown_number(value: float, digits: int = 0) -> str:
    """Return a number with the separators of the reader's language, and at most ``digits`` decimals."""
    return _number(round(value, digits), "#,##0." + "#" * digits if digits else "#,##0", language())


@lru_cache(maxsize=4096)
def _number(value: float, pattern: str, code: str) -> str:
    from babel.numbers import format_decimal

    return format_decimal(value, pattern, _LOCALES[code])


def shown_decimal(value: float, digits: int) -> str:
    """Return a number with exactly ``digits`` decimals, so that figures in a column have the same precision."""
    return _number(round(value, digits) + 0.0, f"#,##0.{'0' * digits}", language())


def shown_exact(value: Decimal, digits: int) -> str:
    """Return a decimal number with exactly ``digits`` decimals, however many digits it has before them."""
    from babel.numbers import format_decimal

    pattern = f"#,##0.{'0' * digits}" if digits else "#,##0"
    return format_decimal(value, pattern, _LOCALES[language()], decimal_quantization=True)


def shown_range(low: str, high: str) -> str:
    """Return two shown numbers as a range: joined by a dash, or by "to" where a dash would look like a sign."""
    if "-" in low + high:
        return gettext("{start} to {end}").format(start=low, end=high)
    return f"{low}\N{EN DASH}{high}"


def shown_share(share: float | None, digits: int = 0) -> str:
    """Return a share from 0 to 1 in percent; ``-`` for None."""
    from babel.numbers import format_percent

    if share is None:
        return "-"
    return format_percent(share, "#,##0." + "0" * digits + "%" if digits else "#,##0%", _LOCALES[language()])


_SIZES: Final = ("byte", "kilobyte", "megabyte", "gigabyte", "terabyte")
_THOUSAND: Final = 1000


def shown_size(size: float) -> str:
    """Return a number of bytes in a fitting unit of 1,000s, such as ``1.2 GB`` or ``350 bytes``."""
    from babel.units import format_unit

    place = 0
    while place < len(_SIZES) - 1 and round(size, 1) >= _THOUSAND:
        size, place = size / _THOUSAND, place + 1
    length: Literal["short", "long"] = "short" if place else "long"
    unit = f"digital-{_SIZES[place]}"
    return format_unit(round(size, 1), unit, length, format="#,##0.#", locale=_LOCALES[language()])


def language_of(scope: MutableMapping[str, Any]) -> str | None:
    """Return the language of a request: the one that the browser remembers, else the first that it asks for.

    None if there is neither.
    """
    headers = dict(scope["headers"])
    chosen = _cookie(headers.get(b"cookie", b"").decode("latin-1"))
    if chosen in LANGUAGES:
        return chosen
    for wish in _wishes(headers.get(b"accept-language", b"").decode("latin-1")):
        if wish in LANGUAGES:
            return wish
    return None


def _cookie(header: str) -> str:
    if COOKIE not in header:
        return ""
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def _wishes(header: str) -> list[str]:
    """The languages that the header names, the most wanted first, without their regions."""
    wishes: list[tuple[float, str]] = []
    for part in header.split(",")[:_MOST_WISHES]:
        name, _, rest = part.partition(";")
        quality = rest.strip().removeprefix("q=") or "1"
        try:
            wishes.append((-float(quality), name.strip().partition("-")[0].lower()))
        except ValueError:
            continue
    return [name for _, name in sorted(wishes, key=lambda wish: wish[0])]


def sources(code: str) -> tuple[str | tuple[str, ...], ...]:
    """Return the English texts of a catalogue; of a counted text, both forms."""
    return _catalogue(code)[1]


def _translations(code: str) -> NullTranslations:
    return _catalogue(code)[0]


@cache
def _catalogue(code: str) -> tuple[NullTranslations, tuple[str | tuple[str, ...], ...]]:
    """The translations of a language, compiled from their text at first use (some milliseconds), and their sources."""
    if code == SOURCE:
        return NullTranslations(), ()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with (CATALOGUES / f"{code}.po").open("rb") as file:
        catalogue = read_po(file)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    ids = (message.id if isinstance(message.id, str) else tuple(message.id) for message in catalogue)
    return GNUTranslations(compiled), tuple(one for one in ids if one)


def _unknown(language: str) -> str:
    message = f"no such language: {language}"
    raise KeyError(message)
