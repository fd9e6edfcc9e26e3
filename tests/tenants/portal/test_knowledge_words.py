"""Passages in parts, with sentences marked; states and failures of documents in words."""

from types import SimpleNamespace
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.knowledge.quoting import spans
from tenants.knowledge.repository import SHARED
from tenants.portal import knowledge_words as words

TABLE = "Read this.\n| copies | name |\n| --- | --- |\n| below 50 | undetectable |\n| 1,000 | unsuppressed |"


def test_a_marked_row_of_a_table_is_marked_as_a_whole_and_its_headings_stay():
    start = TABLE.index("| 1,000")
    text, table = words.parts(TABLE, [(start, len(TABLE))])
    assert text.lines == [[("Read this.", False)]]
    assert table.head == ["copies", "name"]
    assert table.rows == [(["below 50", "undetectable"], False), (["1,000", "unsuppressed"], True)]


def test_a_row_with_fewer_cells_than_headings_gets_empty_ones():
    (table,) = words.parts("| a | b |\n| --- | --- |\n| c |")
    assert table.rows == [(["c", ""], False)]


def test_items_of_a_list_lose_their_dash_and_keep_their_mark():
    text = "- Call first.\n- Then visit."
    (part,) = words.parts(text, [(0, 13)])
    assert part.kind == "list"
    assert part.lines == [[("Call first.", True)], [("Then visit.", False)]]


@given(st.lists(st.sampled_from(["One. Two!", "- item", "Only words", ""]), max_size=6))
def test_marks_change_no_text(lines):
    text = "\n".join(lines)
    plain = [["".join(piece for piece, _ in line) for line in part.lines] for part in words.parts(text)]
    marked = [["".join(piece for piece, _ in line) for line in part.lines] for part in words.parts(text, spans(text))]
    assert marked == plain


def test_the_title_above_all_is_left_out_of_a_place():
    assert words.place("Returning > Gap of 3 months", 4) == "Gap of 3 months, page 4"
    assert words.place("Returning", None) == "Returning"
    assert words.place("", None) == ""


def test_a_failure_is_said_with_what_to_do():
    document = SimpleNamespace(failure="scan", state="unreadable")
    assert words.failure_of(document) == (
        "The PDF holds pictures of pages, and no text. Let a program recognize its letters (OCR), and upload it again."
    )
    assert words.failure_of(SimpleNamespace(failure=None)) == ""
    assert words.state_of(document, older=False) == ("Cannot be read", "high")
    assert words.state_of(document, older=True) == ("Replaced", "")


@pytest.mark.parametrize(
    ("facts", "state"),
    [
        ({"state": "disabled"}, ("Disabled", "")),
        ({"state": "needs-secrets"}, ("Needs its secrets", "medium")),
        ({"state": "plugin-missing"}, ("Plugin is missing", "high")),
        ({"state": "failing", "problem": "gone"}, ("Fails", "high")),
        ({"state": "ready"}, ("Not fetched yet", "")),
        ({"state": "ready", "last_success_at": "then"}, ("Works", "low")),
        ({"state": "ready", "id": SHARED}, ("Works", "low")),
    ],
)
def test_a_source_says_how_it_does(facts, state):
    source = SimpleNamespace(**{"id": uuid4(), "problem": "", "last_success_at": None, **facts})
    assert words.source_state(source) == state


def test_an_open_question_says_why_it_is_open():
    assert words.asked(SimpleNamespace(feedback=None))[0] == "No answer"
    assert words.asked(SimpleNamespace(feedback="wrong"))[0] == "Answer is wrong"
