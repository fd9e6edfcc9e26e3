"""A ciphertext opens only where it was made; a patient who was erased cannot be read again."""

from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.privacy import master, tenant_keys, vault
from core.privacy.errors import CannotDecrypt, MasterKeyMissing, PatientErased

NAME = "Givenname Familyname"


@pytest.fixture
def patient(session):
    """A patient with one encrypted name, in an open transaction: vault, patient, row, ciphertext."""
    keys, uuid, row = vault(session), uuid4(), uuid4()
    return keys, uuid, row, keys.encrypt(uuid, "patients", "given_name", row, NAME)


def test_what_was_encrypted_can_be_read_in_a_later_transaction(tenant, open_session):
    uuid, row = uuid4(), uuid4()
    with open_session(tenant) as session:
        data = vault(session).encrypt(uuid, "patients", "given_name", row, NAME)
    tenant_keys.forget()
    with open_session(tenant) as session:
        assert vault(session).decrypt(uuid, "patients", "given_name", row, data) == NAME


def test_the_ciphertext_does_not_show_the_text_and_never_repeats(patient):
    keys, uuid, row, data = patient
    assert NAME.encode() not in data
    assert keys.encrypt(uuid, "patients", "given_name", row, NAME) != data


def test_a_ciphertext_moved_to_another_place_does_not_open(patient):
    keys, uuid, row, data = patient
    other = uuid4()
    keys.ensure_patient_keys([other])
    for place in (
        (uuid, "patients", "given_name", uuid4()),
        (uuid, "patients", "family_name", row),
        (uuid, "contacts", "given_name", row),
        (other, "patients", "given_name", row),
    ):
        with pytest.raises(CannotDecrypt):
            keys.decrypt(*place, data)
    assert keys.decrypt(uuid, "patients", "given_name", row, data) == NAME


def test_a_row_and_its_key_copied_to_another_tenant_do_not_open(two_tenants, open_session):
    mine, other = two_tenants
    uuid, row = uuid4(), uuid4()
    with open_session(mine) as session:
        data = vault(session).encrypt(uuid, "patients", "given_name", row, NAME)
        stolen = session.cursor().execute("SELECT * FROM patient_keys WHERE patient_uuid = %s", (uuid,)).fetchone()
        stolen_ring = session.cursor().execute("SELECT purpose, version, wrapped_key FROM tenant_keys").fetchall()
    with open_session(other) as session:
        session.cursor().execute("INSERT INTO patient_keys VALUES (%s, %s, %s, %s, %s)", stolen)
        with pytest.raises(CannotDecrypt):
            vault(session).decrypt(uuid, "patients", "given_name", row, data)
        for purpose, version, wrapped in stolen_ring:
            session.cursor().execute(
                "UPDATE tenant_keys SET wrapped_key = %s WHERE purpose = %s AND version = %s",
                (wrapped, purpose, version),
            )
        tenant_keys.forget()
        with pytest.raises(CannotDecrypt):
            vault(session).decrypt(uuid, "patients", "given_name", row, data)


def test_a_key_put_in_place_of_another_patients_is_rejected_before_anything_is_encrypted_with_it(tenant, open_session):
    uuid, other = uuid4(), uuid4()
    with open_session(tenant) as session:
        vault(session).ensure_patient_keys([uuid, other])
        session.cursor().execute(
            "UPDATE patient_keys SET wrapped_key = (SELECT wrapped_key FROM patient_keys WHERE patient_uuid = %s)"
            " WHERE patient_uuid = %s",
            (other, uuid),
        )
    with open_session(tenant) as session, pytest.raises(CannotDecrypt):
        vault(session).encrypt(uuid, "patients", "given_name", uuid4(), NAME)


@pytest.mark.parametrize("where", ["another tenant", "another purpose"])
def test_a_tenants_key_that_was_moved_is_rejected(two_tenants, open_session, where):
    mine, other = two_tenants
    read = "SELECT wrapped_key FROM tenant_keys WHERE purpose = 'index'"
    with open_session(mine) as session:
        moved = session.cursor().execute(read).fetchone()
    with open_session(other if where == "another tenant" else mine) as session:
        purpose = "index" if where == "another tenant" else "blob"
        session.cursor().execute("UPDATE tenant_keys SET wrapped_key = %s WHERE purpose = %s", (moved[0], purpose))
        with pytest.raises(CannotDecrypt):
            tenant_keys.key_ring(session, fresh=True)


@given(st.data())
@settings(max_examples=50)
def test_a_ciphertext_with_any_byte_changed_does_not_open(module_vault, data):
    keys, uuid, row, sealed = module_vault
    at = data.draw(st.integers(0, len(sealed) - 1))
    broken = bytearray(sealed)
    broken[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CannotDecrypt):
        keys.decrypt(uuid, "patients", "given_name", row, bytes(broken))


@given(st.text())
@settings(max_examples=50)
def test_any_text_comes_back_as_it_was(module_vault, text):
    keys, uuid, row, _ = module_vault
    assert keys.decrypt(uuid, "p", "c", row, keys.encrypt(uuid, "p", "c", row, text)) == text


@pytest.fixture(scope="module")
def module_vault(module_tenant):
    from core.database import tenant_session

    with tenant_session(module_tenant, actor="test:1") as session:
        keys, uuid, row = vault(session), uuid4(), uuid4()
        yield keys, uuid, row, keys.encrypt(uuid, "patients", "given_name", row, NAME)


def test_an_erased_patient_can_be_neither_read_nor_written_nor_given_a_new_key(tenant, open_session):
    uuid, row, spared = uuid4(), uuid4(), uuid4()
    with open_session(tenant) as session:
        data = vault(session).encrypt(uuid, "patients", "given_name", row, NAME)
        sealed = vault(session).encrypt(spared, "patients", "given_name", row, NAME)
    with open_session(tenant) as session:
        assert vault(session).erase_patient(uuid)
        assert not vault(session).erase_patient(uuid)
    with open_session(tenant) as session:
        keys = vault(session)
        with pytest.raises(PatientErased):
            keys.decrypt(uuid, "patients", "given_name", row, data)
        with pytest.raises(PatientErased):
            keys.encrypt(uuid, "patients", "given_name", row, NAME)
        assert keys.ensure_patient_keys([uuid, spared]) == {uuid}
        assert keys.decrypt(spared, "patients", "given_name", row, sealed) == NAME
        stored = (
            session.cursor()
            .execute("SELECT wrapped_key, erased_at IS NOT NULL FROM patient_keys WHERE patient_uuid = %s", (uuid,))
            .fetchone()
        )
        assert stored == (None, True)


def test_a_key_made_in_a_savepoint_that_was_rolled_back_is_not_used_again(tenant, open_session):
    uuid, row = uuid4(), uuid4()
    with open_session(tenant) as session:
        savepoint = session.begin_nested()
        vault(session).encrypt(uuid, "patients", "given_name", row, "lost")
        savepoint.rollback()
        data = vault(session).encrypt(uuid, "patients", "given_name", row, NAME)
    with open_session(tenant) as session:
        assert vault(session).decrypt(uuid, "patients", "given_name", row, data) == NAME


def test_two_transactions_that_meet_a_new_patient_use_one_key(tenant, open_session):
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    uuid, row, start = uuid4(), uuid4(), Barrier(4)

    def write(number):
        with open_session(tenant) as session:
            start.wait()
            return vault(session).encrypt(uuid, "patients", "given_name", row, f"{number}")

    with ThreadPoolExecutor(4) as pool:
        written = list(pool.map(write, range(4)))
    with open_session(tenant) as session:
        assert [vault(session).decrypt(uuid, "patients", "given_name", row, data) for data in written] == list("0123")


def test_keys_of_many_patients_take_as_many_statements_as_keys_of_one(tenant, open_session):
    with open_session(tenant) as session:
        vault(session).ensure_patient_keys([uuid4()])
        statements = []
        genuine = session.cursor
        session.cursor = lambda: statements.append(1) or genuine()  # type: ignore[method-assign]
        many = [uuid4() for _ in range(500)]
        assert vault(session).ensure_patient_keys(many) == frozenset()
        assert len(statements) == 2


class TestMasterKey:
    def test_after_a_rotation_the_old_key_is_not_needed(self, tenant, open_session, monkeypatch):
        uuid, row = uuid4(), uuid4()
        with open_session(tenant) as session:
            data = vault(session).encrypt(uuid, "patients", "given_name", row, NAME)
            index = vault(session).blind_index("phone", "08031234567")
        old, new = master.current()[1], b"n" * 32
        monkeypatch.setattr(master, "master_key", lambda: new)
        tenant_keys.forget()
        with open_session(tenant) as session, pytest.raises(MasterKeyMissing):
            vault(session).decrypt(uuid, "patients", "given_name", row, data)
        with monkeypatch.context() as rotating:
            rotating.setattr(master, "by_kid", lambda wanted: {master.kid(old): old, master.kid(new): new}[wanted])
            with open_session(tenant) as session:
                assert tenant_keys.rewrap_tenant_keys(session) == 3
                assert tenant_keys.rewrap_tenant_keys(session) == 0
        tenant_keys.forget()
        with open_session(tenant) as session:
            assert vault(session).decrypt(uuid, "patients", "given_name", row, data) == NAME
            assert vault(session).blind_index("phone", "08031234567") == index
        tenant_keys.forget()

    def test_the_previous_key_of_the_settings_still_unwraps(self, monkeypatch):
        import base64

        from pydantic import SecretStr

        from core.settings import get_settings

        old, new = b"o" * 32, b"n" * 32
        monkeypatch.setattr(master, "master_key", lambda: new)
        settings = get_settings().model_copy(update={"master_key_previous": SecretStr(base64.b64encode(old).decode())})
        monkeypatch.setattr(master, "get_settings", lambda: settings)
        assert master.by_kid(master.kid(old)) == old
        assert master.by_kid(master.kid(new)) == new
        with pytest.raises(MasterKeyMissing) as rejection:
            master.by_kid(master.kid(b"x" * 32))
        assert "IIT_MASTER_KEY_PREVIOUS" in rejection.value.remedy

    def test_no_key_is_stored_in_the_clear(self, tenant, open_session):
        with open_session(tenant) as session:
            vault(session).ensure_patient_keys([uuid4()])
            ring = tenant_keys.key_ring(session)
            rows = (
                session.cursor()
                .execute("SELECT wrapped_key FROM tenant_keys UNION ALL SELECT wrapped_key FROM patient_keys")
                .fetchall()
            )
        assert len(rows) == 4
        assert all(ring.index not in bytes(row[0]) and ring.blob not in bytes(row[0]) for row in rows)
        assert all(len(row[0]) == 12 + 32 + 16 for row in rows)


def test_keys_derived_for_blobs_differ_by_tenant_and_purpose_and_stay(two_tenants):
    from core.privacy import derived_key

    mine, other = two_tenants
    first = derived_key(mine, "blob|a")
    tenant_keys.forget()
    assert derived_key(mine, "blob|a") == first
    assert len({first, derived_key(mine, "blob|b"), derived_key(other, "blob|a")}) == 3
    assert len(first) == 32
