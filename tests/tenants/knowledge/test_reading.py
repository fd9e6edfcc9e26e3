"""Documents are read for what they are, whatever their name; one that cannot be read says why, and harms nothing."""

from __future__ import annotations

import io
import zipfile

import pytest

from core.plugins.process import Limits
from tenants.knowledge.passages import cut
from tenants.knowledge.reading import apart, documents, reader_main
from tenants.knowledge.reading.apart import read_apart
from tenants.knowledge.reading.blocks import Block, UnreadableError
from tenants.knowledge.reading.documents import HTML, MARKDOWN, PDF, WORD, read
from tenants.knowledge.reading.languages import language_of
from tenants.knowledge.reading.reasons import REASONS, problem_of, remedy_of
from tests.tenants.knowledge import files

ENGLISH = "The team calls the patient who has not been seen for three months, and the clinic hears of it."
FRENCH = "Le patient qui revient est reçu avec respect, et les médicaments sont donnés le jour même dans la clinique."
PORTUGUESE = "O paciente que volta é recebido com respeito, e os medicamentos são dados no mesmo dia pela equipa."


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (files.markdown(ENGLISH), MARKDOWN),
        (files.word(ENGLISH), WORD),
        (files.page(ENGLISH, ENGLISH, ENGLISH, ENGLISH), HTML),
        (files.pdf(["Return to care", ENGLISH]), PDF),
    ],
)
def test_each_kind_is_known_by_its_content(content, media_type):
    reading = read(content)
    assert reading.media_type == media_type
    assert reading.title == "Return to care"
    assert reading.language == "en"
    assert any("three months" in block.text for block in reading.blocks)


def test_a_table_of_word_stays_whole_with_its_column_headings():
    reading = read(files.word(ENGLISH, table=[["Weeks", "Do"], ["4", "Call"], ["12", "Visit"]]))
    assert Block("table", "| Weeks | Do |\n| --- | --- |\n| 4 | Call |\n| 12 | Visit |") in reading.blocks


def test_a_passage_of_a_pdf_knows_its_page():
    passages = cut(read(files.pdf(["First", ENGLISH], ["Second", "Nurses weigh each child at each visit."])).blocks)
    assert [(passage.section, passage.page) for passage in passages] == [("First", 1), ("Second", 2)]


@pytest.mark.parametrize(("text", "language"), [(ENGLISH, "en"), (FRENCH, "fr"), (PORTUGUESE, "pt"), ("12 mg", "en")])
def test_the_language_is_detected(text, language):
    assert language_of([text]) == language


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_text_may_have_any_encoding_of_office_programs(encoding):
    assert "médicaments" in read(files.markdown(FRENCH).decode().encode(encoding)).blocks[-1].text


def _archive(name):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, "x")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600, "old_word"),
        (b"PK\x03\x04 damaged", "damaged"),
        (_archive("xl/workbook.xml"), "other_kind"),
        (_archive("word/document.xml"), "damaged"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "other_kind"),
        (b"%PDF-1.4 and no more", "locked"),
        (files.pdf([]), "scan"),
        (b"# Only a heading\n", "no_text"),
        (b"<html><body></body></html>", "no_text"),
    ],
)
def test_what_cannot_be_read_says_why_and_what_to_do(content, reason):
    with pytest.raises(UnreadableError) as error:
        read(content)
    assert error.value.reason == reason
    assert problem_of(reason)
    assert remedy_of(reason)


def test_a_document_larger_or_longer_than_the_bounds_is_not_read(monkeypatch):
    monkeypatch.setattr(documents, "MOST_CHARACTERS", 20)
    with pytest.raises(UnreadableError, match="too_long"):
        read(files.markdown(ENGLISH))
    monkeypatch.setattr(documents, "MOST_BYTES", 20)
    with pytest.raises(UnreadableError, match="too_large"):
        read(files.markdown(ENGLISH))


def test_a_document_is_read_in_a_process_of_its_own():
    reading = read_apart(files.word(FRENCH, title="Retour"))
    assert (reading.title, reading.language, reading.media_type) == ("Retour", "fr", WORD)
    assert reading.blocks == read(files.word(FRENCH, title="Retour")).blocks


def test_the_process_tells_the_reason():
    with pytest.raises(UnreadableError, match="old_word"):
        read_apart(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600)


def test_a_document_that_takes_too_long_is_stopped():
    with pytest.raises(UnreadableError, match="too_slow"):
        read_apart(files.markdown(ENGLISH), limits=Limits(seconds=0.01))


@pytest.mark.parametrize(
    "answer",
    [
        "no JSON",
        "[]",
        "{}",
        '{"unreadable": "no such reason"}',
        '{"media_type": "x", "title": "", "language": "en", "blocks": []}',
        '{"media_type": "text/html", "title": "", "language": "xx", "blocks": []}',
        '{"media_type": "text/html", "title": "", "language": "en", "blocks": [["script", "x", 0, null]]}',
    ],
)
def test_what_a_captured_process_answers_is_not_believed(tmp_path, answer):
    (tmp_path / reader_main.ANSWER).write_text(answer)
    with pytest.raises(UnreadableError, match="reader_failed"):
        apart._answer(tmp_path)


def test_a_process_that_answers_nothing_has_failed(tmp_path):
    with pytest.raises(UnreadableError, match="reader_failed"):
        apart._answer(tmp_path)


def test_every_reason_has_words():
    assert all(problem and remedy for problem, remedy in REASONS.values())
