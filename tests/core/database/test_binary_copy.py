"""PostgreSQL reads what the binary COPY encoder writes as the same values."""

import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.database import binary_copy, owner_connection
from core.database.binary_copy import NULL, column, field

_DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))
_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
_MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - zone given
_VALUES = {
    "uuid": st.uuids(),
    "text": _TEXTS,
    "bytea": st.binary(max_size=40),
    "bool": st.booleans(),
    "int2": st.integers(-(2**15), 2**15 - 1),
    "int4": st.integers(-(2**31), 2**31 - 1),
    "int8": st.integers(-(2**63), 2**63 - 1),
    "float8": st.floats(allow_nan=False),
    "date": _DAYS,
    "timestamptz": _MOMENTS,
}


def test_a_value_of_every_type_comes_back_as_it_was(database):
    names = ", ".join(f"of_{kind} {kind}" for kind in _VALUES)
    with owner_connection() as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE single ({names})")

        @given(st.tuples(*(st.none() | values for values in _VALUES.values())))
        def check(values):
            cursor.execute("TRUNCATE single")
            with cursor.copy("COPY single FROM STDIN (FORMAT BINARY)") as copy:
                row = binary_copy.row_of(len(values)) + binary_copy.fields(_VALUES, values)
                binary_copy.write(copy, [row])
            assert cursor.execute("SELECT * FROM single").fetchall() == [values]

        check()


def test_whole_columns_come_back_as_they_were(database):
    uuids = binary_copy.new_uuids(3)
    moment = datetime(2023, 11, 14, 22, 13, 20, 7, tzinfo=UTC)
    columns = {
        "a": uuids,
        "b": field("text", "word"),
        "c": column("date", np.array([-1, 0, 20_000])),
        "d": column("float8", np.array([0.1, math.inf, -2.5])),
        "e": NULL,
        "f": column("bool", np.array([True, False, True])),
        "g": field("timestamptz", moment),
        "h": column("int4", np.array([1, -1, 7])),
    }
    with owner_connection() as connection, connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE whole (a uuid, b text, c date, d float8, e date, f bool, g timestamptz, h int4,"
            " j jsonb)"
        )
        with cursor.copy("COPY whole FROM STDIN (FORMAT BINARY)") as copy:
            with_json = binary_copy.rows(3, columns, [b'{"a": 1}', b"[]", b"null"])
            binary_copy.write(copy, [with_json, binary_copy.rows(3, columns, None)])
        stored = cursor.execute("SELECT a, b, c, d, e, f, g, h, j FROM whole").fetchall()
    assert [row[0].bytes for row in stored] == [bytes(value) for value in uuids] * 2
    assert {row[0].version for row in stored} == {7}
    assert {row[1] for row in stored} == {"word"}
    assert [row[2] for row in stored[:3]] == [date(1970, 1, 1) + timedelta(days=day) for day in (-1, 0, 20_000)]
    assert [row[3] for row in stored[:3]] == [0.1, math.inf, -2.5]
    assert {row[4] for row in stored} == {None}
    assert [row[5] for row in stored[:3]] == [True, False, True]
    assert {row[6] for row in stored} == {moment}
    assert [row[7] for row in stored[:3]] == [1, -1, 7]
    assert [row[8] for row in stored] == [{"a": 1}, [], None, None, None, None]
