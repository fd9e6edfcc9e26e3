"""No folder gains a retired phrase or name; and each rule catches one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.architecture import words
from tests.architecture.ratchet import Ratchet, by_folder

if TYPE_CHECKING:
    from pathlib import Path

PHRASE = "told" + " apart"


def test_no_folder_has_more_retired_phrases_than_it_may() -> None:
    assert words.PHRASES_LEFT.excess(words.phrase_breaches()) == []


def test_no_folder_has_more_retired_names_than_it_may() -> None:
    assert words.NAMES_LEFT.excess(words.name_breaches()) == []


def test_a_retired_phrase_is_caught_over_a_line_break_and_in_any_case() -> None:
    text = "Rows were\n# " + PHRASE.title().replace(" ", "\n# ") + " by key"
    assert [line.split(" is retired")[0] for line in words.retired("core/a.py", text)] == [f"core/a.py:2: '{PHRASE}'"]
    assert list(words.retired("core/a.py", "They have " + PHRASE + "ments.")) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("core/a.css", "/* Rows " + PHRASE.replace(" ", "\n * ") + " */"),
        ("core/a.js", "// Rows " + PHRASE.replace(" ", "\n// ")),
        ("migrations/a.sql", "-- Rows " + PHRASE.replace(" ", "\n-- ")),
        ("core/a.html", "<p>Rows " + PHRASE),
        (".ci/a.yaml", "# Rows " + PHRASE),
        ("Makefile", "# Rows " + PHRASE),
        ("core/a.po", 'msgid ""\n"Rows ' + PHRASE.replace(" ", ' "\n"') + '"\nmsgstr ""'),
    ],
)
def test_a_retired_phrase_is_caught_in_every_kind_of_file(path: str, text: str) -> None:
    assert len(list(words.retired(path, words.english(path, text)))) == 1


def test_what_translators_write_is_theirs() -> None:
    text = f'# {PHRASE}\nmsgid "Rows"\nmsgstr "{PHRASE}"\n"{PHRASE}"\n'
    assert list(words.retired("core/a.po", words.english("core/a.po", text))) == []


@pytest.mark.parametrize(
    "binding",
    [
        "found = 1",
        "for found in (): ...",
        "with open('a') as found: ...",
        "if found := 1: ...",
        "rows = [found for found in ()]",
        "import json as found",
        "def found(): ...",
        "async def _found(): ...",
        "class Found: ...",
        "rows = lambda found: 1",
        "def rows(*, found): ...",
        "def rows(*found): ...",
        "class Rows:\n    found: int",
        "self._found = 1",
        "try: ...\nexcept ValueError as found: ...",
        "match 1:\n    case found: ...",
    ],
)
def test_a_retired_name_is_caught_wherever_it_is_bound(binding: str) -> None:
    assert len(list(words.retired_names("core/a.py", binding))) == 1


def test_a_module_of_a_retired_name_is_caught() -> None:
    assert list(words.retired_names("core/found.py", "")) != []


def test_a_class_of_a_participle_is_caught_and_a_longer_noun_is_free() -> None:
    assert len(list(words.retired_names("core/a.py", "class _Converted: ...\nclass Written: ..."))) == 2
    assert list(words.retired_names("core/a.py", "class Versioned: ...\nclass WrittenArchive: ...")) == []
    assert list(words.retired_names("tests/a.py", "class Killed: ...")) == []


def test_uses_of_a_retired_name_and_longer_names_are_free() -> None:
    assert list(words.retired_names("core/a.py", "print(found, a.found, b(found=1))\nfound_rows = founder = 1")) == []


def test_a_folder_beyond_its_limit_is_named_and_one_within_is_not(tmp_path: Path) -> None:
    breaches = by_folder([("core/jobs/a.py", "a"), ("core/jobs/b/c.py", "b"), ("docs/x.md", "c")])
    assert breaches == {"core/jobs": ["a", "b"], "docs": ["c"]}
    assert ratchet(tmp_path, '{"core/jobs": 1, "docs": 1}').excess(breaches) == ["a", "b"]
    assert ratchet(tmp_path, '{"core/jobs": 2}').excess(breaches) == ["c"]


def test_limits_fall_and_never_rise(tmp_path: Path) -> None:
    limits = ratchet(tmp_path, '{"core/jobs": 3, "docs": 1, "plugins": 1}')
    limits.lower({"core/jobs": ["a", "b"], "docs": ["c", "d"], "migrations": ["e"]})
    assert limits.limits() == {"core/jobs": 2, "docs": 1}


def ratchet(folder: Path, text: str) -> Ratchet:
    file = folder / "left.json"
    file.write_text(text, encoding="utf-8")
    return Ratchet(file)
