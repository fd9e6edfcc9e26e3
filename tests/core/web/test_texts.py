"""Texts of pages: gathered, translated into every language, and shown in the reader's."""

from __future__ import annotations

import ast
import string
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from babel.messages.pofile import read_po

from core.web import gather_texts, texts
from core.web.texts import CATALOGUES, LANGUAGES, SOURCE, language_of, reading_in

TRANSLATED = sorted(set(LANGUAGES) - {SOURCE})
TRANSLATORS = {"_", "gettext", "ngettext", "marked", "phrase"}


@pytest.mark.parametrize(
    ("size", "english", "french"),
    [
        (0, "0 bytes", "0 octet"),
        (350, "350 bytes", "350 octets"),
        (1300, "1.3 kB", "1,3 ko"),
        (35_000_000, "35 MB", "35 Mo"),
        (999_960_000, "1 GB", "1 Go"),
        (1.26e9, "1.3 GB", "1,3 Go"),
        (4.2e15, "4,200 TB", "4 200 To"),
    ],
)
def test_a_size_is_shown_in_a_fitting_unit(size, english, french):
    assert texts.shown_size(size) == english
    with reading_in("fr"):
        assert texts.shown_size(size).replace("\u202f", " ").replace("\xa0", " ") == french


def scope_of(**headers):
    return {"headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]}


def messages(code):
    with (CATALOGUES / f"{code}.po").open("rb") as file:
        return [message for message in read_po(file) if message.id]


def names(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def called_in(node):
    calls = (part for part in ast.walk(node) if isinstance(part, ast.Call))
    return {call.func.id for call in calls if isinstance(call.func, ast.Name)}


@pytest.mark.parametrize("code", TRANSLATED)
def test_the_catalogue_has_the_texts_that_pages_have_run_make_texts_otherwise(code):
    present = (CATALOGUES / f"{code}.po").read_bytes()
    assert gather_texts.gathered(code, present) == present


@pytest.mark.parametrize("code", TRANSLATED)
def test_every_text_is_translated_with_the_same_named_places(code):
    for message in messages(code):
        sources = [message.id] if isinstance(message.id, str) else list(message.id)
        forms = [message.string] if isinstance(message.string, str) else list(message.string)
        assert len(forms) == len(sources), f"{code}: {message.id}"
        for source, form in zip(sources, forms, strict=True):
            assert form.strip(), f"{code}: no translation of {source!r}"
            assert names(form) == names(source), f"{code}: {source!r}"


def test_no_text_is_inside_an_f_string_where_the_gathering_does_not_see_it():
    for folder in gather_texts.FOLDERS:
        for path in (gather_texts.ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    called = {
                        n.func.id for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
                    }
                    assert not called & TRANSLATORS, f"{path}:{node.lineno}"


def test_texts_days_and_numbers_come_in_the_language_of_the_block():
    with reading_in("fr"):
        assert texts.gettext("Sign in") == "Se connecter"
        assert texts.ngettext("{count} day", "{count} days", 1) == "1 jour"
        assert texts.ngettext("{count} day", "{count} days", 2) == "2 jours"
        assert texts.shown_date(date(2026, 5, 4)) == "4 mai 2026"
        assert texts.shown_number(1234.5, 1).replace("\u202f", " ") == "1 234,5"
    with reading_in("pt"):
        assert texts.shown_share(0.125, 1) == "12,5%"
    assert texts.gettext("Sign in") == "Sign in"
    assert texts.shown_day(date(2026, 5, 4)) == "Mon 4 May"
    assert texts.shown_share(None) == "-"


def test_a_moment_is_shown_as_the_clocks_of_the_zone():
    moment = datetime(2026, 5, 4, 23, 30, tzinfo=ZoneInfo("UTC"))
    assert texts.shown_time(moment, ZoneInfo("Africa/Lagos")) == "5 May 2026, 00:30"


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, None),
        ({"accept_language": "pt-MZ,pt;q=0.9,en;q=0.5"}, "pt"),
        ({"accept_language": "en;q=0.3, fr-FR;q=0.8"}, "fr"),
        ({"accept_language": "ha, yo;q=x, *"}, None),
        ({"accept_language": "fr", "cookie": "iit_language=pt"}, "pt"),
        ({"accept_language": "fr", "cookie": "iit_language=xx"}, "fr"),
        ({"cookie": 'iit_language="; ='}, None),
    ],
)
def test_the_chosen_language_counts_before_the_browsers(headers, language):
    assert language_of(scope_of(**headers)) == language


@pytest.mark.parametrize(
    ("asked", "own", "default", "language"),
    [
        ("fr", "pt", "en", "pt"),
        ("fr", None, "pt", "fr"),
        (None, None, "pt", "pt"),
        (None, "fr", "pt", "fr"),
        (None, None, None, "en"),
        ("fr", "xx", "xx", "fr"),
    ],
)
def test_the_persons_own_language_wins_and_the_tenants_is_for_who_asked_for_none(asked, own, default, language):
    with reading_in(asked):
        texts.prefer(own, default)
        assert texts.language() == language
    texts.prefer(own, default)
    assert texts.language() == SOURCE
