"""Every table that a room adds can be carried by an archive, or says why it is not."""

import pytest
from sqlalchemy import LargeBinary

from core.database import NodeBase, PlatformBase, TenantBase
from core.feature_registry import load_tables
from core.tenancy.archive.tables import _MADE_ANEW, PATIENT_KEYS, left_out

load_tables()
CARRIED = [
    table
    for table in TenantBase.metadata.sorted_tables
    if "archive" not in table.info and table.name not in {*_MADE_ANEW, PATIENT_KEYS}
]
SAME_EVERYWHERE = ("_bidx", "_key", "_hash", "digest", "previous", "keys", "content")
"""Bytes that mean the same under other keys and another id: keyed with the index key, which travels, or with none."""


@pytest.mark.parametrize("table", CARRIED, ids=lambda table: table.name)
def test_bytes_are_ciphertexts_by_name_or_mean_the_same_elsewhere(table):
    for column in table.columns:
        if not isinstance(column.type, LargeBinary):
            continue
        if column.name.endswith("_enc"):
            bound = {"uuid", "patient_uuid"} & set(table.columns.keys())
            assert bound, f"{table.name}.{column.name} is bound to no row: give the table a uuid"
        else:
            assert column.name.endswith(SAME_EVERYWHERE), (
                f"{table.name}.{column.name}: if it is a ciphertext of the vault, end its name in _enc;"
                " if it means the same under other keys, add its ending here"
            )


@pytest.mark.parametrize("table", CARRIED, ids=lambda table: table.name)
def test_rows_have_a_key_to_be_in_order_by(table):
    assert list(table.primary_key.columns)


def test_what_a_room_leaves_out_has_a_reason():
    assert all(len(one.why) > 10 for one in left_out())


def test_rows_of_a_tenant_outside_its_schema_are_found_by_its_id_when_it_is_purged():
    for base in (NodeBase, PlatformBase):
        for table in base.metadata.sorted_tables:
            if "tenant_role" in table.columns:
                assert "tenant_id" in table.columns, f"{table.name} would be left behind by a purge"


def test_columns_that_a_room_leaves_out_get_a_value_where_the_archive_is_restored():
    for table in CARRIED:
        local = [column for column in table.columns if "archive" in column.info]
        for column in local:
            assert not column.primary_key
            assert column.nullable or column.server_default is not None or "restored_as" in column.info, column
