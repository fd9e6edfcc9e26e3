"""A backup is the tenant as of one moment, sealed; a restore is exact, in its place at once, or nothing."""

import json

import pytest
from uuid_utils.compat import uuid7

from core import audit, blobs, metering
from core.audit.sealer import seal
from core.audit.verify import verify
from core.blobs import BlobDamaged
from core.database import TenantMoving, owner_connection, owner_session, tenant_session
from core.errors import Conflict, Invalid, NotFound
from core.events.catalogue import type_of
from core.events.outbox import publish_after_commit
from core.jobs.worker import drain
from core.privacy import vault
from core.privacy.errors import MasterKeyMissing, PatientErased
from core.tenancy import get_tenant, placing
from core.tenancy.archive.deleting import delete_tenant
from core.tenancy.archive.purging import purge
from core.tenancy.backup import container, restoring, service
from core.tenancy.backup.saving import backup
from core.tenancy.models import Tenant
from core.tenancy.shape import digests
from tests.core.jobs.conftest import ask  # noqa: F401 - a fixture
from tests.core.tenancy.move.conftest import put, rows

ALWAYS_KEPT = ("audit_events", "audit_seals")
"""Tables that a restore adds to: of its own act, and of what was done since."""


def digest_of(ref):
    with owner_connection(ref.database) as connection:
        return digests(connection, ref.schema_name, but=ALWAYS_KEPT)


def settings(ref):
    return dict(rows(ref, "SELECT key, value FROM tenant_settings ORDER BY key"))


@pytest.fixture
def filled(tenant):
    """A tenant with some rows, among them texts that COPY has to escape."""
    with tenant_session(tenant, actor="test:1") as session:
        for number in range(20):
            put(session, f"k{number}", {"n": number, "text": "a\tb\\N\n\\.\nCOPY x FROM stdin;\n"})
        audit.record(session, "api:audit:read", "audit", None, {"when": "before"})
    return tenant


def test_damaged_rows_come_back_exactly(filled, tmp_path):
    before, file = digest_of(filled), tmp_path / "t.iitbackup"
    saved = backup(filled.slug, file)
    with tenant_session(filled, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute("DELETE FROM tenant_settings WHERE key < 'k2'")
        cursor.execute("UPDATE tenant_settings SET value = '0'")
        put(session, "new")
        audit.record(session, "api:audit:read", "audit", None, {"when": "after"})
    damaged = digest_of(filled)
    back = service.from_file(filled.slug, file)
    ref = get_tenant(filled.slug)
    assert back.restored.ref == ref
    assert digest_of(ref) == before != damaged
    assert back.restored.rows == saved.rows
    actions = [
        row[0] for row in rows(ref, "SELECT coalesce(detail ->> 'when', action) FROM audit_events ORDER BY event_id")
    ]
    assert actions == ["before", "after", "cli:tenant:restore"], "the audit does not go back"
    with pytest.raises(TenantMoving), tenant_session(filled, actor="test:1"):
        pytest.fail("the state that was left was opened")
    assert placing.retired(ref.id) == []
    again = service.from_file(ref.slug, back.previous)
    assert digest_of(again.restored.ref) == damaged, "what was there before is kept, exact to its last row"


def test_the_sealed_audit_is_whole_after_a_restore_and_goes_on(filled, tmp_path):
    seal(filled)
    file = tmp_path / "t.iitbackup"
    backup(filled.slug, file)
    for when in ("sealed", "not yet sealed"):
        with tenant_session(filled, actor="test:1") as session:
            audit.record(session, "api:audit:read", "audit", None, {"when": when})
        if when == "sealed":
            seal(filled)
    before = verify(filled)
    service.from_file(filled.slug, file)
    ref = get_tenant(filled.slug)
    seal(ref)
    after = verify(ref)
    assert (after.problems, after.pending) == ([], 0)
    assert (after.seals, after.events) == (before.seals + 1, before.events + 2), "the unsealed one, and the restore"


def test_a_backup_shows_nothing_without_the_master_key_and_no_byte_of_it_can_change(filled, tmp_path, settings_of):
    file = tmp_path / "t.iitbackup"
    backup(filled.slug, file)
    content = file.read_bytes()
    assert b"tenant_settings" not in content
    assert filled.slug.encode() not in content
    for place in (40, len(content) // 2, len(content) - 1):
        damaged = tmp_path / "damaged.iitbackup"
        damaged.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises((BlobDamaged, Invalid, MasterKeyMissing)):
            service.from_file(filled.slug, damaged)
    (tmp_path / "short.iitbackup").write_bytes(content[:-40])
    with pytest.raises(BlobDamaged):
        service.from_file(filled.slug, tmp_path / "short.iitbackup")
    (tmp_path / "other").write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(Invalid, match="not a backup"):
        service.from_file(filled.slug, tmp_path / "other")
    assert get_tenant(filled.slug) == filled, "nothing was changed"
    settings_of(master_key="A" * 43 + "=")
    with pytest.raises(MasterKeyMissing):
        service.from_file(filled.slug, file)


def test_encrypted_values_open_after_a_restore_and_the_erased_stay_erased(tenant, tmp_path):
    spared, erased, row = uuid7(), uuid7(), uuid7()
    with tenant_session(tenant, actor="test:1") as session:
        vault(session).ensure_patient_keys([spared, erased])
        sealed = {
            who: vault(session).encrypt(who, "patients", "name_enc", row, "Givenname") for who in (spared, erased)
        }
    file = tmp_path / "t.iitbackup"
    backup(tenant.slug, file)
    with tenant_session(tenant, actor="test:1") as session:
        assert vault(session).erase_patient(erased)
    service.from_file(tenant.slug, file)
    with tenant_session(get_tenant(tenant.slug), actor="test:1") as session:
        vault(session).load_patient_keys([spared, erased])
        assert vault(session).decrypt(spared, "patients", "name_enc", row, sealed[spared]) == "Givenname"
        with pytest.raises(PatientErased):
            vault(session).decrypt(erased, "patients", "name_enc", row, sealed[erased])


def test_blobs_and_jobs_and_uses(filled, ask, tmp_path):  # noqa: F811 - a fixture
    key = blobs.put(filled, "a.txt", b"kept").key
    before = ask(filled)
    with tenant_session(filled, actor="test:1") as session:
        metering.record(session, "imports", 1, key="before")
    file = tmp_path / "t.iitbackup"
    backup(filled.slug, file)
    after = ask(filled)
    with tenant_session(filled, actor="test:1") as session:
        metering.record(session, "imports", 1, key="after")
    with owner_session() as session:
        session.connection().exec_driver_sql(
            "UPDATE node.jobs SET state = 'done', finished_at = now() WHERE id = %s", (before,)
        )
    service.from_file(filled.slug, file)
    ref = get_tenant(filled.slug)
    assert blobs.get(ref, key) == b"kept"
    assert dict(rows(ref, "SELECT id, state FROM node.jobs")) == {before: "queued", after: "discarded"}
    assert {row[0] for row in rows(ref, "SELECT key FROM node.usage_events")} == {"before", "after"}, (
        "what was used was"
    )


def test_a_job_of_a_backup_from_before_there_were_priorities_waits_with_the_normal_one(filled, ask, tmp_path):  # noqa: F811
    job_id = ask(filled)
    file = tmp_path / "t.iitbackup"
    backup(filled.slug, file)
    with container.opened(file) as (_, manifest, dump):
        for job in manifest.jobs:
            del job["priority"]
        service.restore(filled.slug, manifest, dump, why="test")
    assert rows(get_tenant(filled.slug), "SELECT id, priority FROM node.jobs WHERE state = 'queued'") == [(job_id, 1)]


def test_events_that_waited_for_delivery_wait_again_and_those_of_undone_acts_are_gone(filled, tmp_path):
    def publish(subject):
        with tenant_session(filled, actor="test:1") as session:
            payload = type_of("imports.completed").example
            return publish_after_commit(session, "imports.completed", subject=subject, payload=payload)

    before = publish("before")
    file = tmp_path / "t.iitbackup"
    backup(filled.slug, file)
    drain(filled)
    publish("after")
    service.from_file(filled.slug, file)
    ref = get_tenant(filled.slug)
    with owner_session(ref.database) as session:
        query = "SELECT id, subject, forwarded_at FROM node.outbox WHERE tenant_role = %s"
        waiting = session.connection().exec_driver_sql(query, (ref.role_name,)).all()
    assert waiting == [(before, "before", None)]


def test_another_tenants_backup_is_rejected_and_so_is_a_second_copy_of_one_that_is_here(filled, make_tenant, tmp_path):
    file = tmp_path / "t.iitbackup"
    backup(filled.slug, file)
    with pytest.raises(Conflict, match="not of"):
        service.from_file(make_tenant().ref.slug, file)
    with pytest.raises(Conflict, match="bound to its identity"):
        service.from_file(filled.slug, file, new_slug="another")
    with pytest.raises(NotFound):
        backup("nobody-at-all", file)


def test_a_tenant_that_is_gone_comes_back_with_its_identity_under_another_name(filled, tmp_path):
    file, before = tmp_path / "t.iitbackup", digest_of(filled)
    backup(filled.slug, file)
    with owner_session() as session:
        session.connection().exec_driver_sql("DELETE FROM platform.api_keys WHERE tenant_id = %s", (filled.id,))
        session.delete(session.get(Tenant, filled.id))
    placing.drop_schema(filled.database, filled.schema_name)
    back = service.from_file(filled.slug, file, new_slug=f"{filled.slug}-b")
    ref = get_tenant(f"{filled.slug}-b")
    assert (ref.id, back.previous) == (filled.id, None)
    assert digest_of(ref) == before


def test_a_tenant_that_is_gone_gets_no_name_that_is_another_tenants(filled, make_tenant, tmp_path, monkeypatch):
    file, taken, gone = tmp_path / "t.iitbackup", make_tenant().ref, make_tenant().ref
    backup(filled.slug, file)
    for slug in (filled.slug, gone.slug):
        delete_tenant(slug, confirm=slug, actor="test:1", grace_days=0)
        purge(slug, actor="test:1")
    with monkeypatch.context() as patch:
        patch.setattr(restoring, "_load", None)  # it is rejected before anything is loaded
        for name, place, kind, message in (
            ("x'y", "default", Invalid, "is not a slug"),
            (taken.slug, "default", Conflict, "exists already"),
            (gone.slug, "default", Conflict, "stays reserved"),
            (None, "nowhere", Invalid, "is not a data database"),
        ):
            with pytest.raises(kind, match=message):
                service.from_file(filled.slug, file, new_slug=name, database=place)
    assert service.from_file(filled.slug, file).restored.ref.slug == filled.slug


def test_a_dump_that_is_not_what_its_manifest_says_changes_nothing(filled, tmp_path, monkeypatch):
    file = tmp_path / "t.iitbackup"
    backup(filled.slug, file)
    with container.opened(file) as (_, manifest, dump):
        manifest.tables["tenant_settings"]["rows"] += 1
        with pytest.raises(Conflict, match="tenant_settings"):
            service.restore(filled.slug, manifest, dump, why="test")
    assert get_tenant(filled.slug) == filled
    with owner_connection() as connection:
        count = connection.execute("SELECT count(*) FROM node.tenant_schemas WHERE tenant_id = %s", (filled.id,))
        assert count.fetchone() == (1,)
    assert len(settings(filled)) == 20
    assert json.loads(json.dumps(manifest.tenant))["slug"] == filled.slug
