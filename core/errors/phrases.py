"""Phrases: texts of errors that pages translate. As plain text, in answers of the API and in logs, they are English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Phrase(str):
    """An English text that remembers its template and what stands at the places of the template.

    Attributes:
        template: the text before its places were filled; the catalogues of translations have it.
        plural: the template for any other count than 1; None for a text that does not count.
        places: name -> value.
    """

    __slots__ = ("places", "plural", "template")

    template: str
    plural: str | None
    places: Mapping[str, Any]


def phrase(template: str, **places: object) -> str:
    """Return a text with its places filled; ``make texts`` gathers its template for translation.

    >>> phrase("has more than {most:,} rows", most=5000)
    'has more than 5,000 rows'
    """
    return _built(template, template, None, places)


def counted_phrase(one: str, many: str, count: int, **places: object) -> str:
    """Return the form of a text for a count, with its places filled; ``{count}`` is one of them.

    >>> counted_phrase("{count} row waits", "{count} rows wait", 5000)
    '5,000 rows wait'
    """
    form = one if count == 1 else many
    built = _built(form.replace("{count}", f"{count:,}"), one, many, places)
    built.places = {"count": count, **places}
    return built


def _built(form: str, template: str, plural: str | None, places: Mapping[str, object]) -> Phrase:
    built = Phrase(form.format(**places) if places else form)
    built.template, built.plural, built.places = template, plural, places
    return built
