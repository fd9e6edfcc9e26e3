"""Checks that a sentence says only what the passages that it cites say: numbers, negations, words and meaning.

The check is strict: a correct sentence in words of its own may fail, and then the passages are quoted instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tenants.knowledge.function_words import parts_of, word_set
from tenants.knowledge.quoting import likeness, numbers_of, spans, stems_of
from tenants.knowledge.redaction import looks_personal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FEWEST_WORDS: Final = 0.6
"""Share of a sentence's words that the passages must have."""
LIKENESS: Final[Mapping[str, float]] = {"e5": 0.86, "minilm": 0.5}
"""By model: the least cosine similarity of a sentence and the nearest one of its passages."""
LONGEST: Final = 400
"""Characters of a sentence."""

_CITATION: Final = re.compile(r"\[(\d{1,2}(?:\s*,\s*\d{1,2})*)\]")
_PIECE: Final = re.compile(r"(.+?)((?:\s*\[\d{1,2}(?:\s*,\s*\d{1,2})*\])+[.!?]?)(?=\s|$)", re.DOTALL)
_MARKUP: Final = re.compile(r"^[\s>#*•-]+|\*\*|__|`")
_ADDRESS: Final = re.compile(r"https?:|www\.|@|<[a-z/!]|\]\(", re.IGNORECASE)
_NEGATIONS: Final = word_set(
    """no not never without unless neither nor cannot don doesn didn isn aren mustn shouldn stop avoid
    ne pas non jamais sans aucun aucune ni sauf arrêtez évitez
    não nunca sem nem nenhum nenhuma salvo pare evite"""
)


@dataclass(frozen=True, slots=True)
class CitedSentence:
    """A sentence of an answer, and the numbers of the passages that it cites."""

    text: str
    passages: tuple[int, ...]


def sentences_of(answer: str) -> list[CitedSentence] | None:
    """Return the sentences of an answer, each of which ends with its citations; None if some text has none."""
    pieces: list[CitedSentence] = []
    end = 0
    text = answer.strip()
    for piece in _PIECE.finditer(text):
        if text[end : piece.start()].strip():
            return None
        end = piece.end()
        numbers = [int(number) for part in _CITATION.findall(piece[2]) for number in part.split(",")]
        sentence = _MARKUP.sub("", piece[1]).strip()
        closing = piece[2].strip()[-1]
        sentence += closing if closing in ".!?" and sentence[-1:] not in ".!?" else ""
        pieces.append(CitedSentence(" ".join(sentence.split()), tuple(dict.fromkeys(numbers))))
    return pieces if pieces and not text[end:].strip() else None


def fault_of(sentence: CitedSentence, passages: Sequence[str], model: str) -> str | None:
    """Return why a sentence may not stand; None if the passages say it.

    Args:
        sentence: of an answer.
        passages: the texts that were given to the language model, with their headings; the first is number 1.
        model: whose vectors are compared.
    """
    if not sentence.passages or any(not 1 <= number <= len(passages) for number in sentence.passages):
        return "passage"
    if _form_fault(sentence.text):
        return "form"
    cited = "\n".join(passages[number - 1] for number in sentence.passages)
    return _word_fault(sentence.text, cited) or _meaning_fault(sentence.text, cited, model)


def _form_fault(text: str) -> bool:
    """Whether it is no plain sentence: several of them, too long, with an address, a phone or an identifier."""
    return len(spans(text)) != 1 or len(text) > LONGEST or _ADDRESS.search(text) is not None or looks_personal(text)


def _word_fault(text: str, cited: str) -> str | None:
    if not set(numbers_of(text)) <= set(numbers_of(cited)):
        return "number"
    stems = stems_of(text)
    return None if stems and len(stems & stems_of(cited)) / len(stems) >= FEWEST_WORDS else "words"


def _meaning_fault(text: str, cited: str, model: str) -> str | None:
    """Compare with the sentence of the passages that has most of its words."""
    stems = stems_of(text)
    parts = [cited[start:end] for start, end in spans(cited)]
    support = max(parts, key=lambda part: (len(stems & stems_of(part)), -len(part)))
    if is_negated(text) != is_negated(support):
        return "negation"
    return None if likeness(model, text, support) >= LIKENESS[model] else "meaning"


def is_negated(text: str) -> bool:
    """Return whether a text has a word that turns a sentence into its contrary."""
    return not _NEGATIONS.isdisjoint(parts_of(text))


_TO_A_MODEL: Final = re.compile(
    r"ignor\w*\s+(?:\w+\s+){0,3}(?:instruction|prompt|rule|consigne|règle|instruç|regra)"
    r"|(?:disregard|forget|oublie\w*|esque\w*)\s+(?:\w+\s+){0,4}(?:instruction|above|previous|consigne|instruç|anterior)"
    r"|system\s*(?:prompt|message)|language model|modèle de langage|modelo de linguagem|\bas an ai\b|\bai assistant\b"
    r"|\b(?:you are|tu es|vous êtes|você é)\s+(?:now|an? (?:ai|assistant)|maintenant|agora|une? (?:ia|assistante?))"
    r"|<\|?(?:im_start|im_end|system|assistant|user)\b|\[/?inst\]|^\s*(?:system|assistant|user)\s*:"
    r"|(?:answer|respond|reply|réponde[zr]|responda)\s+(?:only\s+)?(?:with|by|par|com)\b",
    re.IGNORECASE | re.MULTILINE,
)


def addresses_a_model(text: str) -> bool:
    """Return whether a passage speaks to a language model, not to a reader. It is then never given to one."""
    return _TO_A_MODEL.search(text) is not None
