"""No text of ours runs as a formula in a spreadsheet, and none comes back as another."""

from datetime import date
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook

from core.web.spreadsheets import guarded, unguarded
from core.web.tables import Workbook, csv_lines

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


def test_a_workbook_and_a_csv_hold_no_formula_and_every_other_value_as_it_is():
    runs = [*RUN[:4], *HIDDEN, *WIDE]
    cells = (True, 1.5, date(2025, 4, 15), None, "https://example.org", "0012", date(1890, 1, 1), float("inf"), "\x01a")
    with Workbook() as book:
        assert book.sheet("=list", ["=1", "b"], [runs, cells, ["x" * 40_000]]) == 3
        file = BytesIO()
        book.save(file)
    sheet = load_workbook(file).active
    head, first, second, third = sheet.iter_rows()
    assert [cell.value for cell in head[:2]] == ["'=1", "b"]
    assert [cell.value for cell in first] == [f"'{text}" for text in runs]
    assert {cell.data_type for cell in (*head[:2], *first)} == {"s"}
    shown = [cell.value for cell in second][: len(cells)]
    assert (shown[2].date(), [*shown[:2], *shown[3:]]) == (
        cells[2], [True, 1.5, None, "https://example.org", "0012", "1890-01-01", None, "a"],
    )  # fmt: skip
    assert len(third[0].value) == 32_767
    assert csv_lines([["=1", -1, "-1", "@a"]]) == b"'=1,-1,'-1,'@a\n"
