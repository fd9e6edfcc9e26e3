"""A tenant that is restored from its archive has the same rows and files, under other keys and another id."""

import errno
import secrets

import pytest
from sqlmodel import select

from core import blobs
from core.audit import sealer
from core.audit.verify import verify
from core.clock import now
from core.database import tenant_session
from core.errors import AppError, Conflict, Unavailable
from core.identity.keys import verify_key
from core.plugins import instances
from core.privacy import vault
from core.privacy.errors import PatientErased
from core.schedules import firing
from core.schedules.models import ScheduleRow
from core.tenancy.archive import writing
from core.tenancy.archive.comparing import check_archive, contents_of
from core.tenancy.archive.restoring import import_archive
from core.tenancy.archive.writing import export
from core.tenancy.move import capture
from core.web.etag import ANY_VERSION
from tests.core.tenancy.archive.conftest import ODD, STORED_BYTES, fill, patient_uuid


@pytest.fixture(scope="module")
def restored(archive, keys):
    return import_archive(archive[0], keys[0], slug=f"back-{secrets.token_hex(4)}", actor="test:1")


def open_session(tenant, **options):
    return tenant_session(tenant, actor="test:1", **options)


def test_counts_and_checksums_read_back_are_those_of_the_manifest(archive, restored):
    manifest = archive[1].manifest
    assert restored.contents == manifest.contents == restored.manifest.contents
    assert manifest.contents["patients"].rows == 40
    assert manifest.contents["observations"].rows == 7


def test_the_restored_tenant_is_active_with_another_id_and_a_key_of_its_own(filled, restored):
    assert verify_key(restored.api_key).tenant == restored.ref
    assert restored.ref.id != filled.id
    assert (restored.ref.name, restored.ref.time_zone, restored.ref.state) == (filled.name, filled.time_zone, "active")


@pytest.mark.parametrize("place", ["nowhere/a.age", "."])
def test_a_place_that_cannot_be_written_is_an_error_that_says_what_to_do(filled, keys, tmp_path, place):
    with pytest.raises(AppError) as rejected:
        export(filled.slug, tmp_path / place, keys[1], actor="test:1")
    assert rejected.value.remedy
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_leaves_no_half_archive_and_says_so(filled, keys, tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    with pytest.raises(Unavailable, match="No space left"):
        export(filled.slug, tmp_path / "a.age", keys[1], actor="test:1")
    assert list(tmp_path.iterdir()) == []


def test_what_is_exported_while_it_is_moved_is_the_same_and_can_be_restored(make_tenant, keys, tmp_path):
    tenant = make_tenant().ref
    fill(tenant, open_session, patients=5)
    before = contents_of(tenant)
    capture.install(tenant.database, tenant.schema_name)
    with open_session(tenant) as session:
        session.cursor().execute("UPDATE patients SET sex = sex")  # noted for the move
    assert contents_of(tenant) == before
    export(tenant.slug, tmp_path / "a.age", keys[1], actor="test:1")
    back = import_archive(tmp_path / "a.age", keys[0], slug=f"back-{secrets.token_hex(4)}", actor="test:1")
    assert back.contents == back.manifest.contents


def test_names_are_sealed_anew_for_the_new_tenant_and_open_there(filled, restored):
    query = "SELECT given_name_enc FROM patients WHERE uuid = %s"
    names = []
    for tenant in (filled, restored.ref):
        with open_session(tenant) as session:
            sealed = session.cursor().execute(query, (patient_uuid(1),)).fetchone()[0]
            text = vault(session).decrypt(patient_uuid(1), "patients", "given_name_enc", patient_uuid(1), sealed)
            names.append((sealed, text))
    assert names[0][1] == names[1][1] == f"{ODD} given_name 1"
    assert names[0][0] != names[1][0]


def test_people_are_found_by_the_same_indexes(restored):
    with open_session(restored.ref) as session:
        wanted = vault(session).blind_index("phone", "+234 803 0000007")
        row = session.cursor().execute("SELECT uuid FROM patients WHERE phone_bidx = %s", (wanted,)).fetchone()
    assert row == (patient_uuid(7),)


def test_an_erased_patient_stays_erased(restored):
    with open_session(restored.ref) as session:
        query = "SELECT given_name_enc, uuid FROM patients WHERE uuid = %s"
        assert session.cursor().execute(query, (patient_uuid(2),)).fetchone() == (None, patient_uuid(2))
        with pytest.raises(PatientErased):
            vault(session).encrypt(patient_uuid(2), "patients", "given_name_enc", patient_uuid(2), "x")


def test_stored_files_come_along_under_their_keys_and_those_that_expire_do_not(filled, restored):
    file_keys = blobs.permanent_keys(filled)
    assert blobs.permanent_keys(restored.ref) == file_keys
    assert sorted(blobs.get(restored.ref, key) for key in file_keys) == [b"", STORED_BYTES]


def test_passages_come_along_with_their_vectors_and_are_found_by_words(filled, restored):
    def read(tenant):
        with tenant_session(tenant, actor="test:1", readonly=True) as session:
            query = (
                "SELECT node_id, embedding::text, lexemes @@ to_tsquery('english', 'patient') FROM data_passages p"
                " JOIN knowledge_documents d ON d.uuid = p.document_uuid WHERE d.state = 'searchable'"
            )
            return session.cursor().execute(query).fetchall()

    assert read(restored.ref) == read(filled)
    assert [row[2] for row in read(restored.ref)] == [True]


def test_the_audit_comes_along_sealed_and_goes_on(restored):
    verdict = verify(restored.ref)
    assert verdict.intact
    assert verdict.seals > restored.manifest.audit.seal
    assert verdict.anchored_through == verdict.seals
    with open_session(restored.ref) as session:
        actions = session.cursor().execute("SELECT action FROM audit_events ORDER BY event_id DESC LIMIT 2").fetchall()
    assert [row[0] for row in actions] == ["cli:tenant:import_archive", "cli:tenant:export"]
    assert sealer.seal(restored.ref).events == 0


def test_numbers_that_the_database_gives_go_on_after_those_of_the_rows(restored):
    with open_session(restored.ref) as session:
        session.cursor().execute(
            "INSERT INTO import_rejections (import_uuid, file, line, field, problem, remedy)"
            " VALUES (gen_random_uuid(), 1, 1, 'f', 'p', 'r')"
        )
        session.rollback()  # other tests compare what is there


def test_an_archive_of_the_restored_tenant_says_the_same_but_for_its_audit(archive, restored, keys, tmp_path):
    again = export(restored.ref.slug, tmp_path / "again.age", keys[1], actor="test:1").manifest
    audit = {"audit_events", "audit_seals"}
    first = {name: content for name, content in archive[1].manifest.contents.items() if name not in audit}
    assert {name: content for name, content in again.contents.items() if name not in audit} == first
    assert {(one.key, one.sha256) for one in again.blobs} == {
        (one.key, one.sha256) for one in archive[1].manifest.blobs
    }


def test_choices_of_schedules_move_and_what_this_installation_computes_does_not(filled, restored):
    def rows(tenant):
        with open_session(tenant) as session:
            return {row.name: row for row in session.exec(select(ScheduleRow))}

    carried = rows(restored.ref)
    assert set(carried) == {"risk.night"}  # the other row is no choice of the tenant
    old, new = rows(filled)["risk.night"], carried["risk.night"]
    assert (new.cron, new.active) == ("30 3 * * *", False)
    assert (new.changed_by, new.changed_at) == (old.changed_by, old.changed_at)
    assert new.last_run is None
    assert "risk.night" in firing.waiting(restored.ref)  # though it is paused: its next time is not known yet
    assert firing.fire(restored.ref, "risk.night") is None
    settled = rows(restored.ref)["risk.night"]
    assert settled.basis == old.basis
    assert settled.next_run > now()


def test_what_is_left_out_is_told_with_its_reason(archive):
    reasons = {one.what: one.why for one in archive[1].manifest.left_out}
    for what in ("table import_staging", "table tenant_keys", "column schedules.next_run", "jobs", "API keys", "usage"):
        assert reasons[what]
    assert "tenant_keys" not in archive[1].manifest.contents


def test_no_plain_text_and_no_key_is_in_the_file_as_it_is_on_disk(archive):
    content = archive[0].read_bytes()
    assert b"given_name" not in content
    assert archive[0].stat().st_mode & 0o077 == 0


def test_a_file_that_the_store_has_lost_is_told_and_does_not_keep_the_rest(make_tenant, keys, tmp_path):
    tenant = make_tenant().ref
    stored_file, _ = fill(tenant, lambda one, **_options: open_session(one), patients=1)
    blobs.delete(tenant, stored_file.key)
    written = export(tenant.slug, tmp_path / "a.age", keys[1], actor="test:1")
    assert written.missing == [stored_file.key]
    assert f"file {stored_file.key}" in {one.what for one in written.manifest.left_out}
    assert check_archive(tmp_path / "a.age", keys[0]) == written.manifest


def test_contents_of_a_tenant_can_be_compared_without_an_archive(archive, filled):
    now = contents_of(filled)
    stated = archive[1].manifest.contents
    audit = {"audit_events", "audit_seals"}  # other tests export the same tenant, which its audit says
    assert {name: one for name, one in now.items() if name not in audit} == {
        name: one for name, one in stated.items() if name not in audit
    }


def test_plugins_come_along_disabled_without_secrets_and_with_a_new_address(make_tenant, keys, tmp_path):
    source = make_tenant().ref
    with tenant_session(source, actor="test:1") as session:
        for name, plugin, settings in (
            ("Nights", "slack", {"webhook_url": "https://hooks.slack.com/services/T0/B0/very-secret"}),
            ("Letters", "email", {"to": ["night@example.org"]}),
        ):
            row = instances.add_instance(
                session, "alert-channel", plugin, instances.InstanceIn(name, settings), source="cli"
            )
            token = instances.token_of(session, row)
    path = tmp_path / "plugins.tar"
    export(source.slug, path, keys[1], actor="test:1")
    there = import_archive(path, keys[0], slug=f"back-{secrets.token_hex(4)}", actor="test:1").ref
    with tenant_session(there, actor="test:1") as session:
        letters, nights = sorted(instances.list_instances(session), key=lambda each: each.name)
        assert [instances.state_of(each, there) for each in (letters, nights)] == ["disabled", "needs-secrets"]
        assert instances.token_of(session, letters) not in {"", token}
        assert letters.settings["to"] == ["night@example.org"]
        assert nights.secrets_set == ["webhook_url"]
        with pytest.raises(Conflict, match="secrets again"):
            instances.set_enabled(session, nights.id, enabled=True, source="cli")
        draft = instances.InstanceIn("Nights", {"webhook_url": "https://hooks.slack.com/services/T0/B0/new"})
        nights = instances.change_instance(session, nights.id, draft, ANY_VERSION, source="cli")
        assert instances.state_of(nights, there) == "ready"
