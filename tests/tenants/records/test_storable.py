"""What the records can store is said once, and fits what PostgreSQL takes."""

from __future__ import annotations

import pytest

from tenants.records import storable
from tenants.records.storable import INDEXED_BYTES, MAX_TEXT, field_problem, indexed_texts, text_problem

INDEX_ENTRY = 2704
"""Bytes of an entry of a B-tree index."""


@pytest.mark.parametrize("kind", storable._MODELS)
def test_all_indexed_texts_of_a_row_fit_an_entry_of_the_index(kind: str) -> None:
    table = storable._MODELS[kind].__table__  # type: ignore[attr-defined]
    for index in table.indexes:
        texts = [column for column in index.columns if column.name in indexed_texts(kind)]
        others = 32 * (len(index.columns) - len(texts))
        assert len(texts) * INDEXED_BYTES + others <= INDEX_ENTRY


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("facilities", "datim_id"),
        ("facilities", "state_province"),
        ("patients", "state_province"),
        ("observations", "variable_name"),
    ],
)
def test_a_text_that_no_index_takes_is_rejected_by_its_bytes(kind: str, field: str) -> None:
    assert field_problem(kind, field, "\u6f22" * 900) is not None
    assert field_problem(kind, field, "a" * 900) is None


@pytest.mark.parametrize("phone", ["nil", "none", "-", "N.A.", "\u00d7"])
def test_a_phone_without_digits_cannot_be_stored(phone: str) -> None:
    assert field_problem("patients", "phone", phone) is not None
    assert field_problem("patients", "given_name", phone) is None


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "a" * (MAX_TEXT + 1), "a\x07"])
def test_what_postgresql_does_not_take_is_rejected(text: str) -> None:
    assert text_problem(text) is not None


def test_any_language_can_be_stored() -> None:
    assert text_problem("\u1eb8\u0300ko \u018aan Ladi \u0623\u062d\u0645\u062f \U0001f9ea") is None
