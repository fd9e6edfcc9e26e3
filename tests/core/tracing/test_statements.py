"""Statements in spans have no values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tracing.statements import LONGEST, normalised, summary

VALUE = "Amina"


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "SELECT * FROM patients WHERE name = 'Amina O''Brien' LIMIT 10",
            "SELECT * FROM patients WHERE name = ? LIMIT ?",
        ),
        ("SELECT 1 -- Amina\n, /* Amina */ 2.5e3", "SELECT ?"),
        (r"SELECT E'a\'Amina', U&'x', $tag$Amina's$tag$", "SELECT ?"),
        ("SELECT a FROM t WHERE id = %(id_1)s AND b = $1", "SELECT a FROM t WHERE id = ? AND b = ?"),
        ("INSERT INTO t (a, b) VALUES (%s, %s), (%s, %s)", "INSERT INTO t (a, b) VALUES (?)"),
        ('SELECT "Amina" FROM "patients"', 'SELECT ? FROM "patients"'),
        ("SELECT a FROM t WHERE b IN (%(b_1)s::UUID, %(b_2)s::UUID)", "SELECT a FROM t WHERE b IN (?::UUID, ?::UUID)"),
        ("SELECT 'Amina", "?"),
        ("SELECT 1 AS a1b", "SELECT ? AS a1b"),
    ],
)
def test_every_literal_and_parameter_becomes_a_question_mark(statement, expected):
    assert normalised(statement) == expected


@given(st.text(max_size=40), st.sampled_from(["'", "E'", "$$", "--", "/*", '"']))
def test_no_text_between_quotes_stays(text, quote):
    closing = {"E'": "'", "--": "\n", "/*": "*/"}.get(quote, quote)
    inside = (
        text.replace("'", "''").replace("\\", "").replace("$", "").replace('"', "").replace("*", "").replace("\n", "")
    )
    marked = f"zz{inside}QX7"
    assert "QX7" not in normalised(f"SELECT {quote}{marked}{closing} FROM patients")  # noqa: S608 - sent to no database


@given(st.text(alphabet="abcSELECT 'E\"$%s()?,.-*/\\\n019", max_size=1500))
def test_normalising_twice_changes_nothing_and_the_length_is_bounded(text):
    plain = normalised(text)
    assert normalised(plain) == plain
    assert len(plain) <= LONGEST


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("SELECT a FROM t_8f3a.patients WHERE ?", "SELECT patients"),
        ('update only "node"."jobs" set a = ?', "UPDATE jobs"),
        ("SELECT ?", "SELECT"),
        ("?", "SQL"),
    ],
)
def test_a_span_is_named_by_operation_and_table(statement, name):
    assert summary(statement) == name
