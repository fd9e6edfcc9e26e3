"""A stored value that does not open costs itself: its row and the page that the row is on are shown."""

from __future__ import annotations

import json

import pytest

from core.database import owner_connection

NAMES = {"given_name": "Aaa", "family_name": "Bbb", "phone": "08030000000", "hospital_number": "H 1"}


@pytest.fixture
def uuids(api):
    bodies = [{**NAMES, "hospital_number": f"H {number}"} for number in range(3)]
    return [api.add("/patients", facility="FAC1", **body)["id"] for body in bodies]


@pytest.fixture(params=["value", "form", "key"])
def damaged(request, api, uuids):
    """The patient with the damage, and the fields that it costs."""
    changes = {
        "value": "patients SET given_name_enc = set_byte(given_name_enc, 20, get_byte(given_name_enc, 20) # 1)",
        "form": r"patients SET given_name_enc = '\x00'",
        "key": "patient_keys SET wrapped_key = set_byte(wrapped_key, 20, get_byte(wrapped_key, 20) # 1)",
    }
    column = "patient_uuid" if request.param == "key" else "uuid"
    with owner_connection() as connection:
        table, _, change = changes[request.param].partition(" ")
        connection.execute(
            f'UPDATE "{api.tenant.schema_name}".{table} {change} WHERE {column} = %s',
            (uuids[1],),
        )
    return uuids[1], set(NAMES) if request.param == "key" else {"given_name"}


def is_shown(rows, uuids, damaged):
    uuid, cost = damaged
    assert sorted(row["id"] for row in rows) == sorted(uuids)
    for row in rows:
        lost = cost if row["id"] == uuid else set()
        assert set(row["unreadable"]) == lost
        assert {name for name in NAMES if row[name] is None} == lost


def test_a_page_shows_the_field_as_unreadable(api, uuids, damaged):
    is_shown(api.get("/patients")["items"], uuids, damaged)


def test_a_page_with_filters_and_an_export_do_too(api, uuids, damaged):
    is_shown(api.get("/patients", facility="FAC1")["items"], uuids, damaged)
    lines = api.call("GET", "/patients/export").text.splitlines()
    is_shown([json.loads(line) for line in lines], uuids, damaged)


def test_the_patient_alone_does_too(api, uuids, damaged):
    is_shown([api.get(f"/patients/{uuid}") for uuid in uuids], uuids, damaged)


def test_a_change_does_not_overwrite_what_it_cannot_read(api, damaged):
    answer = api.patch(f"/patients/{damaged[0]}", api.get(f"/patients/{damaged[0]}")["version_id"], family_name="Ccc")
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:iit:problem:cannot-decrypt"
    assert api.get(f"/patients/{damaged[0]}")["unreadable"]


def test_it_is_logged_without_what_was_read(api, damaged, caplog):
    from core.telemetry.repeated import RepeatFilter
    from tenants.records import personal

    personal._logged = RepeatFilter()
    with caplog.at_level("ERROR"):
        api.get("/patients")
        api.get("/patients")
    logged = [record for record in caplog.records if "does not open" in str(record.msg)]
    assert len(logged) == len(damaged[1])
    assert not [name for name in NAMES.values() for record in logged if name in str(record.msg)]
