"""From cells to values: which cells are read, which are rejected, and that no message repeats a value."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.imports.reading import values
from tenants.imports.reading.values import BadValueError, NotRecordedError

ISO = ("iso", "dd-Mon-yyyy")


@pytest.mark.parametrize(
    ("cell", "formats"),
    [
        ("2015-06-08", ISO),
        ("2015-6-8", ISO),
        (" 2015-06-08 ", ISO),
        ("2015-06-08T23:59:59Z", ISO),
        ("2015-06-08 00:00:00", ISO),
        ("08-Jun-2015", ISO),
        ("8 June 2015", ISO),
        ("08/06/2015", ("%d/%m/%Y",)),
        ("42163", ("excel",)),
        (42163, ISO),
        (42163.5, ISO),
        (date(2015, 6, 8), ISO),
        (datetime(2015, 6, 8, 12, 30), ISO),  # noqa: DTZ001 - as a workbook stores it
    ],
)
def test_a_date_is_read_in_all_forms_that_exports_use(cell: object, formats: tuple[str, ...]) -> None:
    assert values.day(cell, formats) == date(2015, 6, 8)


@pytest.mark.parametrize(
    "cell", ["31-02-2015", "2015-02-30", "30-Foo-2015", "soon", "20150608", "0001-01-01", "2999-01-01", 0, 1e9, True]
)
def test_a_cell_without_a_date_is_rejected(cell: object) -> None:
    with pytest.raises(BadValueError):
        values.day(cell, ISO)


def test_day_and_month_are_never_guessed() -> None:
    with pytest.raises(BadValueError, match="form that the mapping names"):
        values.day("03/04/2015", ISO)


def test_a_moment_keeps_its_zone_and_a_day_has_none() -> None:
    assert values.moment("2015-06-08T10:00:00Z", ISO) == datetime(2015, 6, 8, 10, tzinfo=UTC)
    assert values.moment("2015-06-08", ISO) == datetime(2015, 6, 8)  # noqa: DTZ001 - without a zone, on purpose


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("3", 90), ("1.5", 45), (2, 60), ("0", 0)],
)
def test_a_month_of_refill_is_thirty_days(cell: object, expected: int) -> None:
    assert values.days(cell, "months") == expected


@pytest.mark.parametrize("cell", ["-1", "nan", "inf", "12 months", "1_0", "", "400000"])
def test_an_impossible_supply_is_rejected(cell: str) -> None:
    with pytest.raises(BadValueError):
        values.days(cell, "days")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("<20", (20.0, "<")),
        ("< 1,000", (1000.0, "<")),
        (">10000000", (1e7, ">")),
        ("1,250", (1250.0, None)),
        (3, (3.0, None)),
        ("TND", (1.0, "<")),
        ("<LDL", (1.0, "<")),
        ("TARGET NOT DETECTED ", (1.0, "<")),
        ("below detection limit", (1.0, "<")),
        ("<20 copies/ml", (20.0, "<")),
        ("20 cp/mL", (20.0, None)),
        ("> 10,000,000", (1e7, ">")),
        ("1250.00", (1250.0, None)),
    ],
)
def test_a_result_below_the_limit_keeps_its_limit_and_sign(cell: object, expected: tuple[float, str | None]) -> None:
    assert values.measured(cell) == expected


@pytest.mark.parametrize("cell", ["Invalid", "Failed", "", "detected", "many"])
def test_a_word_without_a_number_is_no_result(cell: str) -> None:
    with pytest.raises(values.BadValueError):
        values.measured(cell)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("29872499824296.0", "29872499824296"),
        ("93779.52927", "93779.52927"),
        ("A_0001", "A_0001"),
        ("2.9800e4", "29800"),
        ("1.23456789012E+11", "123456789012"),
        ("219E01", "219E01"),
        (12.0, "12"),
        ("29872499824296,0", "29872499824296"),
        ("1,23456789012E+11", "123456789012"),
        ("12,000", "12,000"),
    ],
)
def test_an_identifier_saved_as_a_decimal_number_loses_its_empty_decimals(cell: object, expected: str) -> None:
    assert values.whole_number(cell) == expected


@pytest.mark.parametrize("cell", ["2.98724998242961E+17", "1.23457E+11", "1E+11", "2.98e4", "1,23457E+11"])
def test_an_identifier_that_has_lost_digits_is_rejected(cell: str) -> None:
    with pytest.raises(BadValueError, match="lost digits"):
        values.whole_number(cell)


def test_a_number_with_more_digits_than_a_spreadsheet_keeps_is_no_identifier() -> None:
    with pytest.raises(BadValueError, match="15 digits"):
        values.identifier(1234567890123456)


@pytest.mark.parametrize(
    "cell",
    ["12345678901234500", "123456789012345000000", "12345678901234560000", "1234567890123456.0"],
)
def test_a_text_that_a_spreadsheet_has_rounded_is_no_identifier(cell: str) -> None:
    with pytest.raises(BadValueError, match="15 digits"):
        values.identifier(cell)


@pytest.mark.parametrize(
    "cell",
    [
        "1234567890123456",
        "1234567890123450",
        "12345678901234567890",
        "12345678901234567800",
        "100000000000000",
        "000123456789012000",
    ],
)
def test_a_long_identifier_keeps_all_its_digits(cell: str) -> None:
    assert values.identifier(cell) == cell


@pytest.mark.parametrize("cell", [date(2026, 3, 1), "2026-03-01 00:00:00", "01/03/2026", "1-Mar", "3-Dec-26"])
def test_a_date_in_an_identifiers_place_is_rejected(cell: object) -> None:
    with pytest.raises(BadValueError, match="date"):
        values.identifier(cell)


@pytest.mark.parametrize("cell", ["MAR-01", "-12/34", "007", "12/2014/9", "A E+1"])
def test_codes_that_only_resemble_dates_or_numbers_are_kept(cell: str) -> None:
    assert values.identifier(cell) == cell


def test_white_space_of_every_kind_is_white_space() -> None:
    assert values.text("\u00a0Musa\u2009\nBello\u200b ") == "Musa Bello"
    assert values.number("90\u00a0") == 90
    assert values.day("\ufeff2026-03-01\u200e", ISO) == date(2026, 3, 1)


@pytest.mark.parametrize("cell", ["1987", 1987, 1987.0, "2026"])
def test_a_year_alone_is_no_day(cell: object) -> None:
    with pytest.raises(BadValueError, match="year alone"):
        values.day(cell, (*ISO, "excel"))


@pytest.mark.parametrize(
    ("cell", "born", "expected"),
    [
        ("12-Mar-62", True, date(1962, 3, 12)),
        ("12-Mar-26", False, date(2026, 3, 12)),
        ("12-Mar-20", True, date(2020, 3, 12)),
        ("12-Mar-98", False, date(1998, 3, 12)),
    ],
)
def test_a_year_of_two_digits_is_read_in_the_century_that_fits(cell: str, expected: date, *, born: bool) -> None:
    assert values.day(cell, ISO, born=born) == expected
    assert values.day(cell, ("%d-%b-%y",), born=born) == expected


def test_september_is_read_as_java_writes_it_and_months_of_other_languages_are_not() -> None:
    assert values.day("07-Sept-2026", ISO) == date(2026, 9, 7)
    assert values.day("07-Sept-2026", ("%d-%b-%Y",)) == date(2026, 9, 7)
    with pytest.raises(BadValueError):
        values.day("07-mars-2026", ISO)


@pytest.mark.parametrize("cell", ["1900-01-01", datetime(1900, 1, 1), "01-Jan-1900"])  # noqa: DTZ001 - as stored
def test_the_first_day_of_databases_stands_for_no_date(cell: object) -> None:
    with pytest.raises(NotRecordedError):
        values.day(cell, ISO)


def test_the_error_says_that_a_day_is_not_in_the_calendar() -> None:
    with pytest.raises(BadValueError, match="calendar"):
        values.day("2003-02-29", ISO)


def test_a_decimal_comma_is_never_lost() -> None:
    assert values.days("2,8", "months") == 84
    assert values.days("90,0", "days") == 90
    assert values.number("1,250") == 1250


@pytest.mark.parametrize("cell", ["400", "999"])
def test_a_supply_of_more_than_a_year_is_rejected(cell: str) -> None:
    with pytest.raises(BadValueError, match="366"):
        values.days(cell, "days")


@pytest.mark.parametrize("cell", ["2,8", "1.5", 28.5])
def test_a_supply_of_days_with_a_fraction_is_rejected(cell: object) -> None:
    with pytest.raises(BadValueError, match="fraction"):
        values.days(cell, "days")
    assert values.days(27.9999999999, "days") == 28


@given(st.dates(date(1930, 1, 1), date(2100, 1, 1)), st.integers(0, 120))
def test_the_estimated_birthdate_gives_the_same_age(at: date, age: int) -> None:
    born = values.birth_from_age(str(age), at)
    assert at.year - born.year - ((at.month, at.day) < (born.month, born.day)) == age


@given(st.text(max_size=30), st.sampled_from(["day", "number", "days", "boolean", "integer", "whole", "moment"]))
def test_any_text_gives_a_value_or_an_error_without_the_text(cell: str, kind: str) -> None:
    readers = {
        "day": lambda: values.day(cell, (*ISO, "excel", "%d/%m/%Y")),
        "moment": lambda: values.moment(cell, ISO),
        "number": lambda: values.measured(cell),
        "days": lambda: values.days(cell, "months"),
        "boolean": lambda: values.boolean(cell),
        "integer": lambda: values.integer(cell),
        "whole": lambda: values.whole_number(cell),
    }
    message = ""
    try:
        readers[kind]()
    except BadValueError as bad:
        message = f"{bad.problem}: {bad.remedy}"
    assert message == "" or len(message) > 20
    if len(cell) > 12:  # shorter texts may be part of any sentence
        assert cell not in message
