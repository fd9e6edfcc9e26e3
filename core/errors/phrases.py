"""Phrases: texts of errors that pages translate. As plain text, in answers of the API and in logs, they are English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Phrase(str):
    """An English text that remembers its template and what stands at the places of the template.

    Attributes:
        template: the text before its places were filled; the catalogues of translations have it.
        places: name -> value.
    """

    __slots__ = ("places", "template")

    template: str
    places: Mapping[str, Any]


def phrase(template: str, **places: object) -> str:
    """Return a text with its places filled; ``make texts`` gathers its template for translation.

    >>> phrase("has more than {most:,} rows", most=5000)
    'has more than 5,000 rows'
    """
    built = Phrase(template.format(**places) if places else template)
    built.template, built.places = template, places
    return built
