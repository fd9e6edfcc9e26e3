"""Identities and fingerprints."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.records import ids
from tenants.records.models import Observation, Visit
from tenants.records.upsert_stage import content_values
from tenants.records.versioned import BOOKKEEPING, ContentRuns

values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**31), 2**31),
    st.text(max_size=5),
    st.dates(),
    st.uuids(),
    st.binary(max_size=5),
)


@given(facility=st.uuids(), source=st.text(min_size=1, max_size=5), key=st.binary(min_size=1, max_size=16))
def test_an_imported_entitys_uuid_is_a_valid_function_of_its_key(facility, source, key):
    uuid = ids.entity_uuid("visits", facility, source, key)
    assert uuid == ids.entity_uuid("visits", facility, source, key)
    assert (uuid.version, uuid.variant) == (8, "specified in RFC 4122")
    assert uuid != ids.entity_uuid("visits", facility, source, key + b"x")
    assert uuid != ids.entity_uuid("visits", uuid4(), source, key)


@given(left=st.lists(values, max_size=4), right=st.lists(values, max_size=4))
def test_fingerprints_are_equal_only_for_equal_rows(left, right):
    assert ids.row_hash(left) == ids.row_hash(list(left))
    if ids.row_hash(left) == ids.row_hash(right):
        assert [str(value) for value in left] == [str(value) for value in right] or _same_text(left, right)


def _same_text(left, right):
    """The column distinguishes bytes from their hex text; the fingerprint does not."""
    texts = [[value.hex() if isinstance(value, bytes) else str(value) for value in row] for row in (left, right)]
    return texts[0] == texts[1]


def test_one_instant_in_two_zones_is_one_content():
    lagos = datetime(2024, 1, 1, 10, tzinfo=timezone(timedelta(hours=1)))
    rows = [
        {"obs_datetime": moment, "value_numeric": number}
        for moment, number in ((lagos, 5), (lagos.astimezone(UTC), 5.0))
    ]
    first, second = (content_values(Observation, row) for row in rows)
    assert first == second


@pytest.mark.parametrize("value", [datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01"])
def test_a_date_of_care_is_a_date(value):
    with pytest.raises(ValueError, match="a date is expected"):
        content_values(Visit, {"date_started": value})


def test_a_value_that_no_column_holds_is_rejected():
    with pytest.raises(TypeError):
        ids.row_hash([object()])


def test_bookkeeping_is_what_every_versioned_table_has():
    assert set(ContentRuns.model_fields) == BOOKKEEPING


def test_the_floor_of_an_instant_lies_below_what_is_made_after_it():
    before = ids.uuid_floor(datetime.now(UTC))
    between = ids.new_uuid()
    after = ids.uuid_floor(datetime.now(UTC) + timedelta(seconds=1))
    assert before <= between < after
    assert (before.version, between.version) == (7, 7)


def test_servers_before_18_make_the_same_kind_of_uuid(session):
    text = f"SELECT {ids._UUIDV7_BEFORE.as_string()} FROM generate_series(1, 200)"  # noqa: S608 - a constant
    floor = ids.uuid_floor(datetime.now(UTC) - timedelta(seconds=5))
    uuids: list[UUID] = [row[0] for row in session.cursor().execute(text)]
    assert {(uuid.version, uuid.variant) for uuid in uuids} == {(7, "specified in RFC 4122")}
    assert len(set(uuids)) == 200
    assert all(floor < uuid < ids.uuid_floor(datetime.now(UTC) + timedelta(seconds=5)) for uuid in uuids)
