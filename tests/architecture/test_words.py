"""No folder gains a retired phrase; and the rule catches one."""

from __future__ import annotations

from tests.architecture import words

PHRASE = "told" + " apart"


def test_no_folder_has_more_retired_phrases_than_it_may() -> None:
    assert words.excess(words.breaches(), words.allowed()) == []


def test_a_retired_phrase_is_caught_over_a_line_break_and_in_any_case() -> None:
    text = "Rows are\n# " + PHRASE.title().replace(" ", "\n# ") + " by key"
    assert [line.split(" is retired")[0] for line in words.retired("core/a.py", text)] == [f"core/a.py:2: '{PHRASE}'"]
    assert list(words.retired("core/a.py", "They have " + PHRASE + "ments.")) == []


def test_a_folder_beyond_its_limit_is_named_and_one_within_is_not() -> None:
    breaches = {"core/jobs": ["a", "b"], "docs": ["c"]}
    assert words.excess(breaches, {"core/jobs": 1, "docs": 1}) == ["a", "b"]
    assert words.excess(breaches, {"core/jobs": 2}) == ["c"]
