"""A tenant with a bit of everything that an archive must carry: odd texts, sealed columns, an erased patient, files."""

import json
from uuid import UUID

import pytest

from core import audit, blobs
from core.audit import sealer
from core.privacy import vault
from core.schedules.service import change_schedule
from core.tenancy.archive import sealing

FACILITY = UUID("00000000-0000-7000-8000-00000000000f")
ODD = 'Aaa "Bbb" \\ \t\n\r\x01 ü€😀 \\x41 null \x0b\x0c\x1c\x1e\x85\u2028\u2029.'
"""Also every character that Python, though not JSON, ends a line at."""
STORED_BYTES = b"model " * 1000


def patient_uuid(number):
    return UUID(f"00000000-0000-8000-8000-{number:012d}")


def fill(tenant, open_session, patients=40):
    """Rows of many types in many tables, written as the rooms write them."""
    stored_file = blobs.put(tenant, "model.zip", STORED_BYTES)
    empty = blobs.put(tenant, "empty", b"")
    blobs.put(tenant, "upload", b"expires", expires_in_days=7)
    with open_session(tenant) as session:
        cursor, safe = session.cursor(), vault(session)
        cursor.execute(
            "INSERT INTO facilities (uuid, version_id, datim_id, name, source, created_at, updated_at)"
            " VALUES (%s, gen_random_uuid(), 'F1', %s, 'test', now(), now())",
            (FACILITY, ODD.replace("\x01", "")),
        )
        for number in range(1, patients + 1):
            patient, sealed = patient_uuid(number), {}
            for name in ("given_name", "family_name", "phone", "pepfar_id"):
                text = f"{ODD} {name} {number}" if number != 3 else None
                sealed[name] = text and safe.encrypt(patient, "patients", f"{name}_enc", patient, text)
            cursor.execute(
                "INSERT INTO patients (version_id, uuid, facility_uuid, source, source_key, known_from, data_date,"
                " row_hash, changed_by, datim_id, birthdate, given_name_enc, family_name_enc, phone_enc, phone_bidx,"
                " pepfar_id_enc, pepfar_id_bidx) VALUES (gen_random_uuid(), %s, %s, 'test', %s, now(), '2026-06-30',"
                " %s, 'test', 'F1', %s, %s, %s, %s, %s, %s, %s)",
                (
                    patient,
                    FACILITY,
                    safe.blind_index("source:patients", str(number)),
                    b"\x00\xff\\",
                    "1990-02-28" if number % 2 else None,
                    sealed["given_name"],
                    sealed["family_name"],
                    sealed["phone"],
                    safe.blind_index("phone", f"0803{number:07d}"),
                    sealed["pepfar_id"],
                    safe.blind_index("pepfar_id", f"P{number}"),
                ),
            )
        for number, value in enumerate((0.1, 1e300, -0.0, 5e-324, float("nan"), float("-inf"), 1 / 3), start=1):
            cursor.execute(
                "INSERT INTO observations (version_id, uuid, facility_uuid, source, source_key, known_from, data_date,"
                " row_hash, changed_by, patient_uuid, obs_datetime, variable_name, value_numeric, value_text)"
                " VALUES (gen_random_uuid(), gen_random_uuid(), %s, 'test', 'k', '0044-03-15 12:00 BC', '2026-06-30',"
                " 'h', 'test', %s, '2026-01-01 00:00:00.000001+05:30', 'v', %s, %s)",
                (FACILITY, patient_uuid(number), value, ODD.replace("\x01", "")),
            )
        cursor.execute(
            "INSERT INTO communications (uuid, version_id, patient_uuid, facility_uuid, communication_type, direction,"
            " status, consent_basis, cost, currency, body_enc, created_at, created_by, updated_at)"
            " VALUES (%s, %s, %s, %s, 'sms', 'outbound', 'sent', 'consent', 0.100000, 'NGN', %s, now(), 't', now())",
            (
                patient_uuid(900),
                patient_uuid(901),
                patient_uuid(1),
                FACILITY,
                safe.encrypt(patient_uuid(1), "communications", "body_enc", patient_uuid(900), "Dear Givenname"),
            ),
        )
        cursor.execute(
            "INSERT INTO models (uuid, name, plugin, plugin_version, version, state, trained_at, features, blob_key,"
            " blob_sha256, calibrator, metrics, card, gates, trained_by, state_changed_at) VALUES (gen_random_uuid(),"
            " 'm', 'p', '1', 'v1', 'candidate', now(), '[]', %s, %s, %s, '{}', '{}', '{}', 't', now())",
            (stored_file.key, stored_file.sha256, json.dumps({"a": 1.10, "b": [1e-7, None, ODD.replace("\x01", "")]})),
        )
        cursor.execute(
            "INSERT INTO knowledge_documents (uuid, name, version, title, url, language, media_type, digest, size,"
            " blob_key, mark, state, passages, models, created_at, created_by) VALUES (%s, 'g.md', 1, 'Guide', '',"
            " 'en', 'text/markdown', 'd', 9, %s, '', 'searchable', 1, '[\"e5\"]', now(), 't')",
            (patient_uuid(950), stored_file.key),
        )
        cursor.execute(
            "INSERT INTO data_passages (node_id, text, metadata_, embedding, model, document_uuid, number, section,"
            " language, searched, words) VALUES ('n', 'Call patients.', '{}', %s::float4[]::vector, 'e5', %s, 1,"
            " 'Guide', 'en', 'Call patients.', 2)",
            ([1 / number for number in range(1, 385)], patient_uuid(950)),
        )
        cursor.execute(
            "INSERT INTO tenant_settings (key, value, updated_at, updated_by)"
            " VALUES ('b', '{\"x\": 12345678901234567890.10}', now(), 't'), ('B', '{}', now(), 't'),"
            " ('ä', '{}', now(), 't')"
        )
        cursor.execute(
            "INSERT INTO import_rejections (import_uuid, file, line, field, problem, remedy)"
            " VALUES (gen_random_uuid(), 1, 9007199254740993, 'f', 'p', 'r')"
        )
        change_schedule(session, "risk.night", cron="30 3 * * *", active=False)
        cursor.execute("INSERT INTO schedules (name, basis, next_run) VALUES ('a.default', '* * * * * UTC', now())")
        safe.erase_patient(patient_uuid(2))
        audit.record_many(session, "api:audit:read", "patient", [patient_uuid(n) for n in range(1, 21)], {"f": ["a"]})
    sealer.seal(tenant)
    return stored_file, empty


@pytest.fixture(scope="session")
def keys(tmp_path_factory):
    """A pair of keys: private and public file."""
    folder = tmp_path_factory.mktemp("keys")
    sealing.generate(folder / "private.key", folder / "public.key")
    return folder / "private.key", folder / "public.key"


@pytest.fixture(scope="session")
def filled(make_tenant):
    """A tenant with records and files: for tests that only read it."""
    from core.database import tenant_session

    tenant = make_tenant().ref
    fill(tenant, lambda one, **options: tenant_session(one, actor="test:1", **options))
    return tenant


@pytest.fixture(scope="session")
def archive(filled, keys, tmp_path_factory):
    """The archive of ``filled``: its path and what the export said of it."""
    from core.tenancy.archive.writing import export

    path = tmp_path_factory.mktemp("archives") / "filled.age"
    return path, export(filled.slug, path, keys[1], actor="test:1")
