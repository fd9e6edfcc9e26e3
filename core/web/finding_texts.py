"""Pydantic's texts about wrong values, for the catalogues: pages show them in the reader's language.

A finding reaches a page as Pydantic's English text (``core.errors.findings``), and ``core.web.stored_texts`` finds its
template here.
"""

from __future__ import annotations

from typing import Final

from core.web.texts import marked, marked_forms

FINDINGS: Final = (
    marked("Extra inputs are not permitted"),
    marked("Field required"),
    marked("Input should be a finite number"),
    marked("Input should be a valid boolean"),
    marked("Input should be a valid boolean, unable to interpret input"),
    marked("Input should be a valid date"),
    marked("Input should be a valid date or datetime, {problem}"),
    marked("Input should be a valid datetime"),
    marked("Input should be a valid datetime or date, {problem}"),
    marked("Input should be a valid dictionary"),
    marked("Input should be a valid integer"),
    marked("Input should be a valid integer, got a number with a fractional part"),
    marked("Input should be a valid integer, unable to parse string as an integer"),
    marked("Input should be a valid list"),
    marked("Input should be a valid number"),
    marked("Input should be a valid number, unable to parse string as a number"),
    marked("Input should be a valid string"),
    marked("Input should be greater than or equal to {limit}"),
    marked("Input should be greater than {limit}"),
    marked("Input should be less than or equal to {limit}"),
    marked("Input should be less than {limit}"),
    marked("Input should be {expected}"),
    marked("Input should have timezone info"),
    marked("String should match pattern {pattern}"),
    marked("Unable to parse input string as an integer, exceeded maximum size"),
    marked_forms(
        "List should have at least {count} item after validation, not {actual}",
        "List should have at least {count} items after validation, not {actual}",
    ),
    marked_forms(
        "List should have at most {count} item after validation, not {actual}",
        "List should have at most {count} items after validation, not {actual}",
    ),
    marked_forms("String should have at least {count} character", "String should have at least {count} characters"),
    marked_forms("String should have at most {count} character", "String should have at most {count} characters"),
)
"""What is wrong with a value."""

REASONS: Final = (
    marked("input is too short"),
    marked("invalid character in year"),
    marked("invalid date separator, expected `-`"),
    marked("invalid datetime separator, expected `T`, `t`, `_` or space"),
    marked("day value is outside expected range"),
    marked("month value is outside expected range of 1-12"),
    marked("unexpected extra characters at the end of the input"),
)
"""Why a text is no date or time."""
