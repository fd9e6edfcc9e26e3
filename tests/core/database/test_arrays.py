"""Arrays written as text are read by the server as what they were made of."""

from hypothesis import given
from hypothesis import strategies as st

from core.database import owner_connection
from core.database.arrays import bytea_array, uuid_array


def test_uuids_and_bytes_come_back_as_they_were(database):
    with owner_connection() as connection:

        @given(st.lists(st.uuids()), st.lists(st.binary(max_size=40)))
        def check(uuids, values):
            query = "SELECT %s::uuid[], %s::bytea[]"
            row = connection.execute(query, (uuid_array(uuids), bytea_array(values))).fetchone()
            assert row == (uuids, values)

        check()
