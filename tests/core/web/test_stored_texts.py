"""Texts that are kept in English are shown in the reader's language: constants, templates, counts, texts in texts."""

from __future__ import annotations

import pickle
from typing import Annotated, Literal
from uuid import UUID

import pytest
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from core.errors import counted_phrase, phrase
from core.errors.findings import problem_of, remedy_of
from core.web import stored_texts
from core.web.stored_texts import is_known, shown_phrase, shown_sentences, shown_stored
from core.web.texts import reading_in


def plain(text):
    return text.replace("\u202f", " ").replace("\xa0", " ")


@pytest.mark.parametrize(
    ("code", "english", "shown"),
    [
        ("fr", "the identifier is missing", "l'identifiant manque"),
        ("fr", "the file is a PDF", "le fichier est un PDF"),
        ("fr", "the file is a thing of tomorrow", "the file is a thing of tomorrow"),
        ("fr", "there are more than 5,000 files", "il y a plus de 5 000 fichiers"),
        ("pt", "a value outside 0.5-300 kg", "um valor fora de 0,5-300 kg"),
        ("fr", "the column 'Sex' appears twice", "la colonne 'Sex' apparaît deux fois"),
        ("fr", "3 months", "3 mois"),
        ("pt", "1 person is dead on a day that the list does not give: dead from the data date", "1 pessoa faleceu"),
        ("fr", "1,200 facilities were not known before and were added", "1 200 établissements n'étaient pas connus"),
        (
            "pt",
            "another row with the same key has different values (a.csv, line 12345)",
            "outra linha com a mesma chave tem valores diferentes (a.csv, linha 12345)",
        ),
        (
            "fr",
            (
                "question: does the day or the month come first in 'Date'? Line 3 is 2026-02-01 with the day first,"
                " 2026-01-02 with the month first; rows with such dates are not read until 'dates' is given"
            ),
            "question : le jour ou le mois vient-il d'abord dans 'Date' ? La ligne 3 est 1 févr. 2026",
        ),
        ("fr", "its job was given up: it failed too often (KeyError at x)", "sa tâche a été abandonnée : elle a"),
        (
            "pt",
            "There is no variable name. Use {date}, {code_word} and {phone}.",
            "Não há nenhuma variável name. Use {date}, {code_word} e {phone}.",
        ),
        ("fr", "a text of a later version", "a text of a later version"),
        ("fr", "", ""),
    ],
)
def test_a_stored_text_is_found_by_its_template_and_keeps_its_values(code, english, shown):
    assert shown_stored(english) == english
    with reading_in(code):
        assert plain(shown_stored(english)).startswith(shown)


def test_a_long_text_is_not_compared_and_stays():
    text = f"the file is {'x' * stored_texts.LONGEST}"
    with reading_in("fr"):
        assert shown_stored(text) == text


def test_sentences_are_shown_one_by_one():
    note = (
        "By the naive rule, late last time: shares of interruption among people as late before. Neither scored nor"
        " listed."
    )
    with reading_in("fr"):
        assert shown_sentences(note).endswith("Ni évalué ni sur une liste.")
        assert shown_sentences(note).startswith("Selon la règle simple")


@pytest.mark.parametrize(
    "text",
    [
        phrase("there are more than {most:,} files", most=5000),
        phrase("the file is {what}", what=phrase("a PDF")),
        phrase("the column {heading!r} appears twice", heading="Sex"),
        phrase("the identifier is missing"),
        phrase("correct it; if all are days, import with the mapping 'refill: {unit: days}'"),
        counted_phrase(
            "{count} facility was not known before and was added",
            "{count} facilities were not known before and were added",
            2000,
        ),
    ],
)
def test_a_phrase_is_shown_alike_before_and_after_it_was_stored(text):
    assert shown_phrase(text) == text
    assert pickle.loads(pickle.dumps(text)).places == text.places  # noqa: S301 - its own
    with reading_in("fr"):
        assert shown_phrase(text) == shown_stored(str(text)) != text


def test_a_phrase_without_a_translation_is_english(monkeypatch):
    text = phrase("names {role}, which is not a role of anybody", role="lead")
    with reading_in("fr"):
        assert shown_phrase(text) == "names lead, which is not a role of anybody"
        monkeypatch.setattr(stored_texts, "gettext", {text.template: "nomme {role}"}.get)
        assert shown_phrase(text) == "nomme lead"


class _Closed(BaseModel, extra="forbid"):
    a: int


FINDINGS = [
    (int, ["x", 1.5, None, "9" * 5000]),
    (float, ["x", None]),
    (Annotated[float, Field(allow_inf_nan=False)], [float("inf")]),
    (str, [1]),
    (bool, ["x", None]),
    (AwareDatetime, ["x", None, "2026-01-01T00:00:00", "2026-01-01x"]),
    (UUID, ["x"]),
    (list[int], [1]),
    (dict[str, int], [1]),
    (Literal["a", "b"], ["c"]),
    (Annotated[str, Field(min_length=1)], [""]),
    (Annotated[str, Field(max_length=2)], ["abc"]),
    (Annotated[str, Field(pattern="a")], ["b"]),
    (Annotated[int, Field(ge=1)], [0]),
    (Annotated[int, Field(gt=1)], [0]),
    (Annotated[int, Field(le=1)], [4]),
    (Annotated[int, Field(lt=1)], [4]),
    (Annotated[list[int], Field(max_length=1)], [[1, 2]]),
    (Annotated[list[int], Field(min_length=2)], [[1]]),
    (_Closed, [{}, {"a": 1, "b": 1}]),
]


@pytest.mark.parametrize(("kind", "values"), FINDINGS)
@pytest.mark.parametrize("code", ["fr", "pt"])
def test_what_pydantic_finds_is_known_with_its_remedy(code, kind, values):
    for value in values:
        with pytest.raises(ValidationError) as raised:
            TypeAdapter(kind).validate_python(value)
        for finding in raised.value.errors():
            for text in (problem_of(finding), remedy_of(finding)):
                assert is_known(str(text), code) or getattr(text, "places", None), text
                with reading_in(code):
                    assert shown_phrase(text) != text
