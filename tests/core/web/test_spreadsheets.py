"""No text of ours runs as a formula in a spreadsheet, and none comes back as another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.web.spreadsheets import guarded, unguarded

HOSTILE = st.text(alphabet=st.sampled_from("='+-@\t\r\n \u200b\ufeff\uff1d\uff0b\ufe62\u00a0a1"), max_size=6)


RUN = ["=1+1", "+1", "-12/34", "@SUM(A1)", "\t=1", "\rx", "\n=1", " =1", "'=1", "'\u200b'=1"]
HIDDEN = ["\u00a0=1", "\u200b=1", "\ufeff=1", "\u202e=1", "\u200b\uff1d1"]
WIDE = ["\uff1d1+1", "\uff0b1", "\uff0d1", "\uff20x", "\ufe66 1"]


@pytest.mark.parametrize("text", [*RUN, *HIDDEN, *WIDE])
def test_what_a_spreadsheet_may_run_is_marked_as_text(text):
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "abc", "12/34", "A=1", "'abc", "O'Neil", "'", "''", "\u200b", " 12", "a\t=1"])
def test_any_other_text_stays_as_it_is(text):
    assert guarded(text) == unguarded(text) == text


@given(HOSTILE | st.text())
def test_what_was_guarded_comes_back_as_it_was(text):
    assert unguarded(guarded(text)) == text


@given(HOSTILE)
def test_a_guarded_text_begins_with_an_apostrophe_or_nothing_that_runs(text):
    seen = guarded(text)
    assert seen.startswith("'") or not seen.lstrip("\u200b\ufeff\u00a0 ").startswith(("=", "+", "-", "@", "\uff1d"))
