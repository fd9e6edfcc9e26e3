"""Passages as quotes: with where they stand, and their sentences that answer the question best marked."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from tenants.knowledge.embedding import embedder
from tenants.knowledge.function_words import is_function_word, parts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tenants.knowledge.embedding import Vectors
    from tenants.knowledge.retrieval import Hit

MOST_EMBEDDED: Final = 12
"""Sentences of the first passages whose meaning is compared; the words of all are."""
MOST_MARKED: Final = 2
"""Sentences that are marked in one passage."""
NEAR_BEST: Final = 0.75
"""Share of the best sentence's score from which another is marked too."""
MEANING_WEIGHT: Final = 1.0
"""What a sentence's nearness counts, scaled to the range over all sentences, beside its share of words."""
STEM: Final = 6
"""Letters by which words are compared: enough for plurals and endings, in the three languages."""

_SENTENCE: Final = re.compile(r"[^.!?;\n]+(?:[.!?;](?!\s|$)[^.!?;\n]*)*[.!?;]?")
_DIGITS: Final = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, a row of a table or an item of a list: its place in the passage's text.

    Attributes:
        start, end: characters of the text, ``text[start:end]``.
        marked: whether it is among those that answer best.
    """

    start: int
    end: int
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Quote:
    """A passage that is quoted.

    Attributes:
        number: by which an answer cites it, from 1.
        passage: the passage.
        sentences: of its text, in their order.
    """

    number: int
    passage: Hit
    sentences: tuple[Sentence, ...]

    @property
    def marked(self) -> list[str]:
        """The texts of the marked sentences."""
        return [self.passage.text[each.start : each.end] for each in self.sentences if each.marked]


def spans(text: str) -> list[tuple[int, int]]:
    """Return the places of the sentences of a text. Rows of tables and items of lists stay whole.

    >>> text = "Give 2.5 ml. Wait."
    >>> [text[start:end] for start, end in spans(text)]
    ['Give 2.5 ml.', 'Wait.']
    """
    places: list[tuple[int, int]] = []
    start = 0
    for line in text.split("\n"):
        if line.lstrip().startswith(("|", "- ")):
            parts = [(0, len(line))]
        else:
            parts = [sentence.span() for sentence in _SENTENCE.finditer(line)]
        for first, last in parts:
            piece = line[first:last]
            left = first + len(piece) - len(piece.lstrip())
            right = first + len(piece.rstrip())
            if any(map(str.isalnum, line[left:right])):
                places.append((start + left, start + right))
        start += len(line) + 1
    return places


@lru_cache(maxsize=20_000)
def stems_of(text: str) -> frozenset[str]:
    """Return the stems of the words of a text that carry its subject, without accents; and its numbers, whole."""
    stems = {_plain(part)[:STEM] for part in parts_of(text) if not is_function_word(part)}
    return frozenset(stems | set(numbers_of(text)))


def numbers_of(text: str) -> list[str]:
    """Return the numbers of a text, without separators of thousands.

    >>> numbers_of("1,000 copies, 2.5 ml")
    ['1000', '2.5']
    """
    return [re.sub(r"[.,](?=\d{3}(?:\D|$))", "", number) for number in _DIGITS.findall(text)]


def _plain(word: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFKD", word) if not unicodedata.combining(each))


def quotes(question: str, passages: Sequence[Hit], model: str) -> list[Quote]:
    """Return passages as quotes, best first, with their best sentences marked. No transaction may be open.

    Args:
        question: with its abbreviations written out.
        passages: in the order of ``retrieval.find``.
        model: embeds the sentences of the first passages.
    """
    places = [spans(passage.text) for passage in passages]
    texts = [[passage.text[start:end] for start, end in own] for passage, own in zip(passages, places, strict=True)]
    words = _by_words(question, texts)
    near = _by_meaning(question, texts, model)
    return [
        Quote(at + 1, passage, _marked(places[at], [w + n for w, n in zip(words[at], near[at], strict=True)]))
        for at, passage in enumerate(passages)
    ]


def _by_words(question: str, texts: Sequence[Sequence[str]]) -> list[list[float]]:
    """The share of the question's words that each sentence has; rare words among the sentences count more."""
    asked = stems_of(question)
    count = Counter(stem for sentences in texts for text in sentences for stem in stems_of(text) & asked)
    every = sum(map(len, texts))
    weights = {stem: math.log(1 + (every - count[stem] + 0.5) / (count[stem] + 0.5)) for stem in asked}
    whole = sum(weights.values()) or 1.0
    return [[sum(weights[stem] for stem in stems_of(text) & asked) / whole for text in own] for own in texts]


def _by_meaning(question: str, texts: Sequence[Sequence[str]], model: str) -> list[list[float]]:
    """The nearness of each sentence to the question, up to ``MEANING_WEIGHT``; 0 for those that are not embedded."""
    first = [text for own in texts for text in own][:MOST_EMBEDDED]
    if len(first) < 2:  # noqa: PLR2004 - one sentence has none to be compared with
        return [[0.0] * len(own) for own in texts]
    scores = [similarity(model, question, text) for text in first]
    low, high = min(scores), max(scores)
    scaled = iter([MEANING_WEIGHT * (score - low) / ((high - low) or 1.0) for score in scores])
    return [[next(scaled, 0.0) for _ in own] for own in texts]


def similarity(model: str, question: str, sentence: str) -> float:
    """Return the cosine similarity of a question and a sentence of a document."""
    return float(question_vector(model, question) @ _sentence_vector(model, sentence))


def likeness(model: str, first: str, second: str) -> float:
    """Return the cosine similarity of two sentences."""
    return float(_sentence_vector(model, first) @ _sentence_vector(model, second))


@lru_cache(maxsize=64)
def question_vector(model: str, question: str) -> Vectors:
    """Return the vector of a question. The last ones are remembered: an answer needs it to search and to quote."""
    return embedder(model).question(question)


@lru_cache(maxsize=8_000)
def _sentence_vector(model: str, sentence: str) -> Vectors:
    vector: Vectors = embedder(model).passages([sentence])[0]
    return vector


def _marked(places: Sequence[tuple[int, int]], scores: Sequence[float]) -> tuple[Sentence, ...]:
    best = max(scores, default=0.0)
    order = sorted(range(len(scores)), key=lambda at: (-scores[at], at))[:MOST_MARKED]
    chosen = {at for at in order if scores[at] > 0 and scores[at] >= NEAR_BEST * best}
    return tuple(Sentence(start, end, at in chosen) for at, (start, end) in enumerate(places))
