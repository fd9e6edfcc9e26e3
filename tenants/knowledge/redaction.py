"""Removes from a question what may name a person, before it is stored or leaves the house.

It finds the names of the tenant's patients, their identifiers and phones, by the keys under which a search finds them,
and by their form whatever looks like a phone, an identifier, an address or a date. The rest is what is searched,
embedded, stored and sent, so a name neither leaves nor changes what is found.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from core.privacy import vault
from core.privacy.blind_index import is_blank
from tenants.knowledge.function_words import WORD, is_function_word, word_set
from tenants.knowledge.models import CONFIGURATIONS
from tenants.records.names import EXACT, MISSPELT, keys_of_word, match, words_of
from tenants.records.personal import NAMES, legible_texts

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from core.database import TenantSession

CANDIDATES: Final = 500
"""Patients whose names are decrypted for one word at most. With more, the word counts as a name."""

_FORMS: Final = (
    ("address", re.compile(r"\bhttps?://\S+|\bwww\.\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)),
    ("identifier", re.compile(r"\b[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\b", re.IGNORECASE)),
    ("date", re.compile(r"\b(?:\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}-\d{1,2}-\d{1,2})\b")),
    ("phone", re.compile(r"(?<![\w,.])(?:\+|\(|\d)[\d ().-]{5,}\d(?!\w|,\d)")),
)
_MARK: Final = re.compile(r"\[(?:name|phone|identifier|address|date)\]")
_PHONE_DIGITS: Final = 7
"""Fewest digits of a phone. A count such as 250 000 has fewer."""
_TOKEN: Final = re.compile(r"(?<!\w)(?=[\w/-]*\d)[^\W_](?:[\w/-]*\w)?")
_AMOUNT: Final = re.compile(
    r"\d+(?:mg|g|kg|ml|l|mcg|µg|iu|mm3|cells|copies|c|h|hrs?|days?|jours?|dias?|weeks?|months?|mois|years?|ans)",
    re.IGNORECASE,
)
_LONG_NUMBER: Final = 7
"""Digits from which a number is taken for an identifier. A viral load has six."""
_MIXED_DIGITS: Final = 3
"""The same beside letters, as in HOSP-0624."""
_LOOKED_UP_DIGITS: Final = 2
_TITLES: Final = word_set(
    """mr mrs ms miss dr doctor nurse sister mama baba alhaji alhaja hajiya mallam chief pastor imam madame mme monsieur
    docteur infirmière infirmier senhor senhora sr sra dona doutor doutora"""
)
_SENTENCE_ENDS: Final = ".!?:;\n(\"'«“"

_NAMED: Final = """
SELECT p.uuid, k.tenant_key_version, k.wrapped_key, p.given_name_enc, p.family_name_enc
FROM patients p JOIN patient_keys k ON k.patient_uuid = p.uuid
WHERE p.known_to IS NULL AND (p.given_name_bidx && %(keys)s::smallint[] OR p.family_name_bidx && %(keys)s::smallint[])
LIMIT %(limit)s
"""
_IDENTIFIED: Final = """
SELECT x.token FROM unnest(%(tokens)s::text[], %(ids)s::bytea[], %(numbers)s::bytea[]) x (token, id, number)
WHERE EXISTS (SELECT FROM patients p WHERE p.known_to IS NULL AND p.pepfar_id_bidx = x.id)
   OR EXISTS (SELECT FROM patients p WHERE p.known_to IS NULL AND p.hospital_number_bidx = x.number)
"""
_WRITTEN: Final = """
SELECT w FROM unnest(%(words)s::text[]) w WHERE EXISTS (
    SELECT FROM data_passages p WHERE p.lexemes @@ plainto_tsquery(%(configuration)s::regconfig, w)
    AND p.searched ~ ('\\m' || w || '\\M')
)
"""


@dataclass(frozen=True, slots=True)
class Redaction:
    """A text without what may name a person.

    Attributes:
        text: with ``[name]``, ``[phone]``, ``[identifier]``, ``[address]`` or ``[date]`` in its places.
        removed: how many of each kind.
    """

    text: str
    removed: Mapping[str, int] = field(default_factory=dict)


def redacted(session: TenantSession, text: str, language: str) -> Redaction:
    """Return a text without what may name a person.

    Args:
        session: of the tenant whose patients' names and identifiers are looked for, within reach or not.
        text: as it was typed.
        language: of the text, ISO 639.
    """
    removed: Counter[str] = Counter()
    text = _without_forms(text, removed)
    text = _without_identifiers(session, text, removed)
    text = _without_names(session, text, language, removed)
    return Redaction(text, dict(removed))


def without_marks(text: str) -> str:
    """Return a redacted text without the marks of what was removed."""
    return " ".join(_MARK.sub(" ", text).split())


def looks_personal(text: str) -> bool:
    """Return whether a text still has something in the form of a phone, an identifier, an address or a date.

    This needs no database: it is the last look at a text that leaves the house.
    """
    removed: Counter[str] = Counter()
    _without_forms(text, removed)
    return bool(removed) or any(_is_identifier(token) for token in _TOKEN.findall(text))


def _without_forms(text: str, removed: Counter[str]) -> str:
    for kind, form in _FORMS:

        def mark(match: re.Match[str], kind: str = kind) -> str:
            if kind == "phone" and sum(map(str.isdigit, match[0])) < _PHONE_DIGITS:
                return match[0]
            removed[kind] += 1
            return f"[{kind}]"

        text = form.sub(mark, text)
    return text


def _is_identifier(token: str) -> bool:
    digits = sum(map(str.isdigit, token))
    if _AMOUNT.fullmatch(token):
        return False
    return digits >= _LONG_NUMBER or (digits >= _MIXED_DIGITS and any(map(str.isalpha, token)))


def _without_identifiers(session: TenantSession, text: str, removed: Counter[str]) -> str:
    tokens = dict.fromkeys(token for token in _TOKEN.findall(text) if len(token) >= _LOOKED_UP_DIGITS)
    known = _identified(session, tokens)

    def mark(match: re.Match[str]) -> str:
        if not (match[0] in known or _is_identifier(match[0])):
            return match[0]
        removed["identifier"] += 1
        return "[identifier]"

    return _TOKEN.sub(mark, text)


def _identified(session: TenantSession, tokens: Iterable[str]) -> frozenset[str]:
    """The tokens that are an identifier of a patient."""
    asked = [token for token in tokens if not is_blank("pepfar_id", token) and not is_blank("hospital_number", token)]
    if not asked:
        return frozenset()
    safe = vault(session)
    values = {
        "tokens": asked,
        "ids": safe.blind_indexes("pepfar_id", asked),
        "numbers": safe.blind_indexes("hospital_number", asked),
    }
    with session.cursor() as cursor:
        return frozenset(token for (token,) in cursor.execute(_IDENTIFIED, values))


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    start: int
    end: int
    stands_out: bool
    """Whether it has a capital letter that no sentence's beginning explains."""
    titled: bool


def _words(text: str) -> list[_Word]:
    words: list[_Word] = []
    previous = ""
    for word_match in WORD.finditer(text):
        before = text[: word_match.start()].rstrip()
        begins = not before or before[-1] in _SENTENCE_ENDS
        word = word_match[0]
        capital = word[0].isupper() and not word.isupper()
        if previous in _TITLES and before.endswith("."):
            begins = False
        words.append(_Word(word, word_match.start(), word_match.end(), capital and not begins, previous in _TITLES))
        previous = word.lower()
    return words


def _without_names(session: TenantSession, text: str, language: str, removed: Counter[str]) -> str:
    words = [word for word in _words(text) if text[max(word.start - 1, 0)] != "["]
    subject = [word for word in words if not is_function_word(word.text.lower()) or word.stands_out]
    written = _written(session, {word.text.lower() for word in subject}, language)
    marked: set[int] = set()
    for at, word in enumerate(words):
        if word not in subject:
            continue
        ordinary = word.text.lower() in written
        follows = at > 0 and _side_by_side(words[at - 1], word) and _unknown(words[at - 1], written)
        leads = at + 1 < len(words) and _side_by_side(word, words[at + 1]) and _unknown(words[at + 1], written)
        capital = word.text[0].isupper()
        looks_named = (word.titled and capital) or (_unknown(word, written) and (follows or leads))
        looked_up = word.stands_out or not ordinary
        if looks_named or (looked_up and _is_name(session, word.text, misspelt=word.stands_out)):
            marked.add(at)
    return _replaced(text, [words[at] for at in sorted(marked)], removed)


def _unknown(word: _Word, written: Collection[str]) -> bool:
    """Whether a word stands out, and the documents have no such word."""
    return word.stands_out and word.text.lower() not in written


def _side_by_side(first: _Word, second: _Word) -> bool:
    return second.start - first.end == 1


def _written(session: TenantSession, words: Collection[str], language: str) -> frozenset[str]:
    """The words that stand in the documents without a capital letter."""
    if not words:
        return frozenset()
    plain = [word for word in words if word.isalpha()]
    values = {"words": plain, "configuration": CONFIGURATIONS.get(language, "simple")}
    with session.cursor() as cursor:
        return frozenset(word for (word,) in cursor.execute(_WRITTEN, values))


def _is_name(session: TenantSession, text: str, *, misspelt: bool) -> bool:
    """Whether a word is in the name of a patient; with ``misspelt`` also with one slip."""
    safe = vault(session)
    for word in words_of(text):
        keys = keys_of_word(safe.maker, word)
        values = {"keys": [keys.whole, keys.sound] if misspelt else [keys.whole], "limit": CANDIDATES}
        with session.cursor() as cursor:
            rows = cursor.execute(_NAMED, values).fetchall()
        if len(rows) == CANDIDATES:
            return True
        for patient, version, wrapped, *sealed in rows:
            safe.take_patient_key(patient, version, wrapped)
            texts = legible_texts(safe, patient, [f"{name}_enc" for name in NAMES], sealed)
            quality = match([word], words_of(*texts))
            if quality is not None and (quality[0] == EXACT or (misspelt and quality == (MISSPELT, 1))):
                return True
    return False


def _replaced(text: str, words: list[_Word], removed: Counter[str]) -> str:
    pieces: list[str] = []
    end = 0
    for at, word in enumerate(words):
        follows = at > 0 and _side_by_side(words[at - 1], word)
        if not follows:
            pieces += [text[end : word.start], "[name]"]
            removed["name"] += 1
        end = word.end
    return "".join([*pieces, text[end:]])
