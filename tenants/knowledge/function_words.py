"""Function words of English, French and Portuguese: they carry no subject, and tell a question's language."""

from __future__ import annotations

import re
from typing import Final

WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
"""A word of letters, also with an apostrophe or a hyphen inside."""

_APOSTROPHES: Final = re.compile(r"['\u2019]")


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text, which blanks separate."""
    return frozenset(text.split())


FUNCTION_WORDS: Final[dict[str, frozenset[str]]] = {
    "en": word_set(
        """a about after again all also am an and another any anybody are as at away back be been before being both but
        by came can come could did do does doing done during each every for from get gets give given go had has have
        having he her here hers him his how i if in into is it its just kind last less let long make many may me might
        more most much must my need needs never no not now of off often on one only or other our out over own per say
        she should since so some somebody someone than that the their them then there these they this those to today
        too under until up us very was we were what when where which while who whom whose why will with would you
        your"""
    ),
    "fr": word_set(
        """a afin ai alors après au aucun aussi autre aux avant avec avoir bien c car ce cela ces cet cette chez comme
        comment combien d dans de depuis des dit dois doit donc dont du elle elles en encore entre est et être eu faire
        fait faut fois ici il ils j je jour l la là le les leur leurs lors lui m ma mais me même mes moi moins mon n ne
        ni nos notre nous on ont ou où par parce pas pendant peut peuvent plus pour pourquoi puis puis-je qu quand que
        quel quelle quelles quels quelqu'un qui quoi s sa sans se sera ses si son sont sous sur t ta te tes toi ton tous
        tout toute très tu un une va vers vient voir vos votre vous y"""
    ),
    "pt": word_set(
        """a ao aos aquela aquele as até com como da das de dela dele depois deve do dos e ela elas ele eles em entre
        era essa esse esta está estão este eu faz fazer foi há isso já lhe mais mas me meu minha muito na nas não nem
        no nos
        nossa nosso o os ou para pela pelo pode pois por porque qual quais quando quanto quantos que quem se sem ser seu
        seus só sobre sua suas são também tem ter todos um uma vai você volta à às é"""
    ),
}
"""By language, in lower case."""

_EVERY: Final = frozenset().union(*FUNCTION_WORDS.values())


def parts_of(text: str) -> list[str]:
    """Return the words of a text in lower case, cut at apostrophes."""
    return [part for word in WORD.findall(text.lower()) for part in _APOSTROPHES.split(word) if part]


def is_function_word(word: str) -> bool:
    """Return whether a word in lower case is a function word of one of the languages."""
    return word in _EVERY


def language_of(text: str, default: str = "en") -> str:
    """Return the language whose function words a text has most of; ``default`` if it has none of any.

    >>> language_of("Que faire pour quelqu'un qui revient après quatre mois ?")
    'fr'
    """
    words = parts_of(text)
    counts = {name: sum(word in known for word in words) for name, known in FUNCTION_WORDS.items()}
    best = max(counts.values())
    if not best or counts.get(default) == best:
        return default
    return next(name for name, count in counts.items() if count == best)
