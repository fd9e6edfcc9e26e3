"""Covert texts: an SMS that somebody else reads must not tell that its receiver is in care.

A text is rejected if it has a word of ``WORDS``, a word that begins with one of ``STEMS`` or a word that has one of
``PARTS`` anywhere in it ("HIVclinic"), also where the word is split ("H I V", "a.r.v"), or written with look-alike
letters or digits ("HlV" with a Cyrillic letter, "H1V"). The lists are of the languages in which programmes write; no
list is complete, so a person still reads each template.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

WORDS: Final = frozenset(
    word
    for line in (
        # The virus, the illness, and programmes for it
        "hiv hivaids aids vih sida vihsida ukimwi vvu hlv vlh alds ltfu iit pmtct ptme ptv prep pep plhiv plwha pvvih",
        "pvhiv kanjamau sideen sideens aidetico aideticos sidoso sidosos",
        # Treatment
        "art arts arv arvs haart tar tarv tarvs targa tpi ipt tpt ctx",
        # Tests
        "cd4 viral virale virales virais viraux virus viruses virusi vl cv pcr",
        # Risk and status
        "risk risks risky risque risques risco riscos riesgo riesgos hatari hadari positive positif positivo",
        "positiva",
        # Drugs
        "tld tle tdf taf dtg 3tc ftc efv nvp azt lpv atv drv inh drug drugs medicine medicines medication medications",
        "meds pill pills tablet tablets refill refills medicament medicaments comprime comprimes pilule pilules",
        "medicamento medicamentos comprimido comprimidos remedio remedios pastilla pastillas dawa madawa dawani",
        "kidonge vidonge magani maganin magunguna magungunan kwayoyi kwayoyin",
        # Illnesses that go with it
        "tb tuberculosis tuberculose",
        # Amharic
        "ኤችአይቪ ኤድስ",
    )
    for word in line.split()
)
"""Words that tell, folded: small letters without accents."""

STEMS: Final = (
    "antiretro", "antirretro", "retrovir", "immunodef", "imunodef", "inmunodef", "seroposit", "seronegat",
    "soroposit", "soronegat",
    "dolutegrav", "tenofov", "lamivud", "emtricitab", "efavir", "nevirap", "zidovud", "abacav", "lopinav", "ritonav",
    "atazanav", "darunav", "raltegrav", "cabotegrav", "rilpivir", "cotrimox", "septrin", "bactrim", "isoniaz",
    "rifapent", "adheren", "unsuppress", "viralload",
)  # fmt: skip
"""Beginnings of words that tell."""

PARTS: Final = ("hiv", "vih", "arv", "tld", "ukimwi")
"""What tells anywhere in a word."""

_INNOCENT: Final = (
    "archiv", "arvind", "arvore", "beehive", "carv", "chiv", "garv", "harves", "harvey", "jarv", "larv",
    "marvel", "marvin", "parv", "scarves", "shiver", "starv",
)  # fmt: skip
"""Beginnings of ordinary words that have one of ``PARTS``; what follows them must not have one."""
_LONGEST_SPLIT: Final = 4
"""Most neighbouring pieces that are joined to find a split word."""
_LOOK_ALIKE: Final = str.maketrans(
    "аеорсухіјѕһԁԛԝвкмнтзАВЕКМНОРСТХІЈЅѴѵ" + "αεινορτυχκΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "\u0131\u0251\u0261\u2113",
    "aeopcyxijshdqwbkmhtzABEKMHOPCTXIJSVv" + "aeivoptuxkABEZHIKMNOPTYX" + "iagl",
)
"""Cyrillic, Greek and other letters that look like Latin ones."""
_DIGITS: Final = str.maketrans("013457$@!|", "oieastsail")
"""Digits and signs that stand for letters in disguised words."""
_PIECE: Final = re.compile(r"[^\W_]+")
_DISGUISED: Final = re.compile(r"[^\W_]+(?:[$@!|][^\W_]+)*")


def telling_words(text: str, names: Iterable[str] = ()) -> list[str]:
    """Return what in a text tells, each as it is written in the folded text; empty if the text is covert.

    Args:
        text: the text, with or without variables.
        names: names that it must not have, such as those of the tenant's clinics and of the patient. A name of several
            words is recognized where they follow one another.
    """
    pieces = _pieces(text)
    telling = [word for word in (*pieces, *_disguised(text)) if _tells(word) or _has_part(word)]
    telling += _split(pieces)
    line = f" {' '.join(pieces)} "
    telling += [name for name in map(fold_name, names) if name and f" {name} " in line]
    return list(dict.fromkeys(telling))


def fold_name(name: str) -> str:
    """Return a name as :func:`telling_words` compares it; empty if it is too short to tell anybody."""
    folded = " ".join(_pieces(name))
    return folded if len(folded) >= 3 else ""  # noqa: PLR2004 - initials are in every text


@lru_cache(maxsize=512)
def folded(text: str) -> str:
    """Return a text in small letters, without accents and invisible signs, and with Latin letters for look-alikes.

    NFKD gives capital letters, and letters of other scripts, for signs such as mathematical bold ones, which have no
    small form of their own; so look-alikes and capitals are replaced before and after it.
    """
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text.translate(_LOOK_ALIKE).casefold())
        text = "".join(sign for sign in text if unicodedata.category(sign) not in ("Cf", "Mn"))
    return text


def _pieces(text: str) -> list[str]:
    return _PIECE.findall(folded(text))


def _disguised(text: str) -> list[str]:
    """The words with digits or signs for letters, as the letters that they stand for."""
    words = _DISGUISED.findall(folded(text))
    return ["".join(_PIECE.findall(word.translate(_DIGITS))) for word in words if any(map(str.isalpha, word))]


def _tells(word: str) -> bool:
    return word in WORDS or word.startswith(STEMS)


def _has_part(word: str) -> bool:
    ordinary = next((beginning for beginning in _INNOCENT if word.startswith(beginning)), "")
    return word not in ("hive", "hives") and any(part in word.removeprefix(ordinary) for part in PARTS)


def _split(pieces: list[str]) -> list[str]:
    """Words of the lists that neighbouring pieces make together: single letters, or the parts of a word."""
    telling = []
    for start in range(len(pieces)):
        for end in range(start + 2, min(start + _LONGEST_SPLIT, len(pieces)) + 1):
            parts = pieces[start:end]
            word = "".join(parts)
            if _tells(word) and not all(part.isdigit() for part in parts):
                telling.append(word)
    singles = re.findall(r"(?<!\S)\S(?: \S)+(?!\S)", " ".join(pieces))
    return telling + [word for run in singles for word in WORDS if len(word) > 2 and word in run.replace(" ", "")]  # noqa: PLR2004
