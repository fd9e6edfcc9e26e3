"""What is damaged, altered, foreign or too new is rejected and leaves nothing; an interrupted run starts again."""

import gzip
import io
import json
import secrets
import tarfile

import pyrage
import pytest
from sqlalchemy import text

from core import blobs
from core.cli.main import run
from core.database import TenantRef, owner_session, tenant_session
from core.database.scripts import head, revisions
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.privacy import create_tenant_keys, vault
from core.tenancy import create_tenant, describe_tenant, get_tenant
from core.tenancy.archive import restoring, sealing
from core.tenancy.archive.comparing import check_archive
from core.tenancy.archive.errors import ArchiveDamaged, ArchiveTooNew, WrongIdentity
from core.tenancy.archive.restoring import import_archive
from core.tenancy.archive.writing import export
from core.tenancy.models import Tenant
from core.tenancy.provisioning import new_schema_name
from core.tenancy.tenant_lock import tenant_lock
from tests.core.tenancy.archive.conftest import patient_uuid


@pytest.fixture
def slug():
    return f"new-{secrets.token_hex(5)}"


NOTHING = [0, 0, 0, 0, 0]
own_schemas = []
"""The names of the schemas and roles that the test's own imports make."""


@pytest.fixture(autouse=True)
def own_names(monkeypatch):
    """Collect the names; tests that run beside these make schemas and roles too."""
    own_schemas.clear()

    def record():
        own_schemas.append(new_schema_name())
        return own_schemas[-1]

    monkeypatch.setattr(restoring, "new_schema_name", record)


def traces(slug):
    """How many tenants, keys, schemas and roles there are of this slug, or of imports of this test."""
    with owner_session() as session:
        return [
            session.scalar(text(f"SELECT count(*) FROM {table}"), {"slug": slug, "names": own_schemas})  # noqa: S608 - fixed
            for table in (
                "platform.tenants WHERE slug = :slug",
                "platform.api_keys JOIN platform.tenants t ON t.id = tenant_id WHERE t.slug = :slug",
                "node.tenant_schemas WHERE schema_name = ANY(:names)",
                "pg_namespace WHERE nspname = ANY(:names)",
                "pg_roles WHERE rolname = ANY(:names)",
            )
        ]


def members(path, private):
    plain = pyrage.decrypt(path.read_bytes(), [sealing.identity(private)])
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(plain))) as tar:
        return [(member.name, tar.extractfile(member).read()) for member in tar]


def packed(path, public, content):
    """An archive of these members, made by whoever has the public key: anybody."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, body in content:
            member = tarfile.TarInfo(name)
            member.size = len(body)
            tar.addfile(member, io.BytesIO(body))
    path.write_bytes(pyrage.encrypt(gzip.compress(out.getvalue()), [sealing.recipient(public)]))
    return path


def rejected(path, private, slug, kind):
    with pytest.raises(kind) as error:
        import_archive(path, private, slug=slug, actor="test:1")
    assert traces(slug) == NOTHING, "a rejected archive leaves nothing"
    with pytest.raises(NotFound):
        describe_tenant(slug)
    assert error.value.remedy
    return error.value


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.9999])
def test_an_archive_that_is_cut_short_is_rejected(archive, keys, tmp_path, slug, share):
    content = archive[0].read_bytes()
    cut = tmp_path / "cut.age"
    cut.write_bytes(content[: int(len(content) * share)])
    rejected(cut, keys[0], slug, ArchiveDamaged)


@pytest.mark.parametrize("place", [5, 60, 200, 5_000, -40, -1])
def test_an_archive_with_one_altered_byte_is_rejected(archive, keys, tmp_path, slug, place):
    content = bytearray(archive[0].read_bytes())
    content[place] ^= 1
    altered = tmp_path / "altered.age"
    altered.write_bytes(content)
    rejected(altered, keys[0], slug, (ArchiveDamaged, WrongIdentity))


def test_bytes_after_the_end_are_rejected(archive, keys, tmp_path, slug):
    longer = tmp_path / "longer.age"
    longer.write_bytes(archive[0].read_bytes() + b"more")
    rejected(longer, keys[0], slug, ArchiveDamaged)


def test_another_key_is_told_from_damage(archive, tmp_path, slug):
    sealing.generate(tmp_path / "other.key", tmp_path / "other.pub")
    assert "another key" in rejected(archive[0], tmp_path / "other.key", slug, WrongIdentity).detail


def test_a_file_that_is_no_archive_or_not_there_is_rejected(keys, tmp_path, slug):
    (tmp_path / "text").write_text("not an archive")
    rejected(tmp_path / "text", keys[0], slug, ArchiveDamaged)
    rejected(tmp_path / "nowhere", keys[0], slug, NotFound)


def test_a_public_key_opens_nothing_and_a_private_key_is_not_taken_for_a_public_one(archive, keys, filled, tmp_path):
    with pytest.raises(Invalid, match="no private key"):
        check_archive(archive[0], keys[1])
    with pytest.raises(Invalid, match="private key"):
        export(filled.slug, tmp_path / "a.age", keys[0], actor="test:1")
    assert list(tmp_path.iterdir()) == []


def drop(name):
    return lambda content: [one for one in content if not one[0].startswith(name)]


def with_json(name, **changes):
    def change(content):
        return [(n, json.dumps({**json.loads(body), **changes}).encode() if n == name else body) for n, body in content]

    return change


def replaced(prefix, old, new):
    def change(content):
        return [(name, body.replace(old, new) if name.startswith(prefix) else body) for name, body in content]

    return change


def first_line_again(content):
    return [
        (name, body + body.splitlines(keepends=True)[0] if name.startswith("tables/facilities") else body)
        for name, body in content
    ]


def interleaved(content):
    """The two files of the archive in three parts, in an order that no writer uses; the manifest is right."""
    (one, body), (other, nothing) = sorted((m for m in content if m[0].startswith("blobs/")), key=lambda m: -len(m[1]))
    parts = [(one, body[:100]), (other, nothing), (one.replace("/000001", "/000002"), body[100:])]
    return [*(m for m in content[:-1] if not m[0].startswith("blobs/")), *parts, content[-1]]


CHANGED = {
    "no manifest": drop("manifest.json"),
    "no header": drop("header.json"),
    "no keys": drop("keys.json"),
    "no patients": drop("tables/patients/"),
    "no file": drop("blobs/"),
    "a row changed": replaced("tables/patients", b'"sex":null', b'"sex":"F"'),
    "a name changed": replaced("tables/patients", b"given_name 7", b"given_name 8"),
    "a file changed": replaced("blobs/", b"model", b"MODEL"),
    "a row twice": first_line_again,
    "the last line cut": replaced("tables/facilities", b"}\n", b"}"),
    "a row that PostgreSQL rejects": replaced("tables/patients", b'"1990-02-28"', b'"1990-02-31"'),
    "no JSON": replaced("tables/patients", b"{", b"["),
    "a key of another length": with_json("keys.json", index="00"),
    "another manifest": with_json("manifest.json", revision="0001"),
    "a member of its own": lambda content: [*content[:2], ("tables/../../x", b"\n"), *content[2:]],
    "a table of its own": lambda content: [*content[:2], ("tables/pg_authid/000001.ndjson", b"{}\n"), *content[2:]],
    "a part out of order": lambda content: [
        (name.replace("patients/000001", "patients/000002"), body) for name, body in content
    ],
    "a row that is none": lambda content: [
        (name, b'"x"\n' if name.startswith("tables/patient_keys") else body) for name, body in content
    ],
    "a text that is a number": replaced("tables/patients", b'"hospital_number":null', b'"hospital_number":1.5'),
    "a key that is a list": replaced("tables/communications", b'"%s"' % str(patient_uuid(1)).encode(), b"[]"),
    "a file within another": interleaved,
    "a number that no table gives": replaced("tables/import_rejections", b'"id":', b'"id":-'),
    "a value too deep": replaced("tables/tenant_settings", b'"value":', b'"value":' + b"[" * 30_000),
    "parts after the manifest": lambda content: [*content, ("tables/patients/000002.ndjson", b"{}\n")],
    "nothing at all": lambda _content: [],
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=CHANGED)
def test_an_archive_put_together_by_somebody_else_is_rejected(archive, keys, tmp_path, slug, change):
    content = members(archive[0], keys[0])
    changed = change(content)
    assert changed != content
    rejected(packed(tmp_path / "changed.age", keys[1], changed), keys[0], slug, ArchiveDamaged)


def test_an_archive_that_was_only_packed_anew_is_whole(archive, keys, tmp_path):
    again = packed(tmp_path / "again.age", keys[1], members(archive[0], keys[0]))
    assert check_archive(again, keys[0]) == archive[1].manifest


@pytest.mark.parametrize("changes", [{"format_version": 2}, {"revision": "9999"}], ids=["format", "migration"])
def test_an_archive_of_a_newer_version_is_rejected_with_the_version_that_wrote_it(
    archive, keys, tmp_path, slug, changes
):
    content = members(archive[0], keys[0])
    for name in ("header.json", "manifest.json"):
        content = with_json(name, application="7.8.9", **changes)(content)
    newer = packed(tmp_path / "newer.age", keys[1], content)
    assert "7.8.9" in rejected(newer, keys[0], slug, ArchiveTooNew).detail


def test_a_table_that_the_revision_has_not_is_rejected(archive, keys, tmp_path, slug):
    content = members(archive[0], keys[0])
    table = {"name": "surplus", "columns": [{"name": "a", "type": "text"}], "key": ["a"]}
    tables = [*json.loads(content[0][1])["tables"], table]
    for name in ("header.json", "manifest.json"):
        content = with_json(name, tables=tables)(content)
    assert "surplus" in rejected(packed(tmp_path / "x.age", keys[1], content), keys[0], slug, ArchiveTooNew).detail


def test_a_taken_slug_and_a_bad_one_are_rejected(archive, keys, filled):
    before = traces(filled.slug)
    with pytest.raises(Conflict, match=filled.slug):
        import_archive(archive[0], keys[0], actor="test:1")
    with pytest.raises(Invalid, match="slug"):
        import_archive(archive[0], keys[0], slug="No Slug", actor="test:1")
    assert traces(filled.slug) == before
    assert traces("No Slug") == NOTHING


def test_an_archive_is_never_written_over_a_file(filled, keys, archive):
    with pytest.raises(Conflict, match="exists"):
        export(filled.slug, archive[0], keys[1], actor="test:1")


def test_an_export_that_fails_leaves_no_file(filled, keys, tmp_path, monkeypatch):
    def fail(*_arguments):
        raise ZeroDivisionError

    monkeypatch.setattr("core.tenancy.archive.writing.blocks", fail)
    with pytest.raises(ZeroDivisionError):
        export(filled.slug, tmp_path / "a.age", keys[1], actor="test:1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["_store", "_activate"])
def test_an_import_that_was_killed_leaves_nothing_usable_and_runs_again(archive, keys, slug, monkeypatch, place):
    def killed(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restoring, place, killed)
        patch.setattr(restoring, "_clear", lambda _ref: None)  # who is killed clears nothing away
        with pytest.raises(KeyboardInterrupt):
            import_archive(archive[0], keys[0], slug=slug, actor="test:1")
    left = describe_tenant(slug).ref()
    assert left.state == "restoring"
    with pytest.raises(Forbidden, match="being restored"):
        get_tenant(slug)
    done = import_archive(archive[0], keys[0], slug=slug, actor="test:1")
    assert done.contents == done.manifest.contents
    assert traces(slug) == [1, 1, 1, 1, 1]
    assert blobs.permanent_keys(left) == []


def test_an_import_that_was_cut_off_can_be_given_up_and_told_what_it_is(archive, keys, slug, monkeypatch, capsys):
    def killed(*_arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(restoring, "_fill", killed)
        patch.setattr(restoring, "_clear", lambda _ref: None)
        with pytest.raises(KeyboardInterrupt):
            import_archive(archive[0], keys[0], slug=slug, actor="test:1")
    assert run(["tenant", "show", slug, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "restoring"
    assert run(["tenant", "backup", slug, "--to", str(keys[0].with_name(f"{slug}.iitbackup"))]) == 1
    assert "its data are incomplete" in capsys.readouterr().err
    with tenant_lock(slug):
        assert run(["tenant", "delete", slug]) == 1, "somebody is at it right now"
    assert "right now" in capsys.readouterr().err
    assert run(["tenant", "delete", slug]) == 0
    assert own_schemas
    assert traces(slug) == NOTHING
    with pytest.raises(NotFound):
        describe_tenant(slug)
    create_tenant(slug, "Partner")
    with pytest.raises(Conflict, match="completely restored"):
        restoring.give_up(slug)


def test_two_imports_of_one_slug_do_not_run_at_once(archive, keys, slug):
    with tenant_lock(slug), pytest.raises(Conflict, match="right now"):
        import_archive(archive[0], keys[0], slug=slug, actor="test:1")


def test_a_tenant_of_an_older_revision_is_exported_as_it_is_and_restored_at_head(database, keys, tmp_path, slug):
    oldest, schema = revisions("tenant")[0], new_schema_name()
    row = Tenant(slug=f"old-{slug}", name="Old", schema_name=schema, role_name=schema, time_zone="Africa/Lagos")
    ref: TenantRef = row.ref()
    with owner_session() as session:
        session.add(row)
        session.flush()
        restoring._place(session, ref, oldest)
    with tenant_session(ref, actor="test:1") as session:
        create_tenant_keys(session)
        sealed = vault(session).encrypt(
            patient_uuid(1), "interventions", "notes_enc", patient_uuid(5), "Givenname moved"
        )
        session.cursor().execute(
            "INSERT INTO interventions (uuid, version_id, patient_uuid, facility_uuid, intervention_type, status,"
            " notes_enc, created_at, created_by, updated_at) VALUES (%s, %s, %s, %s, 'phone_call', 'planned', %s,"
            " now(), 't', now())",
            (patient_uuid(5), patient_uuid(6), patient_uuid(1), patient_uuid(8), sealed),
        )
    written = export(ref.slug, tmp_path / "old.age", keys[1], actor="test:1")
    assert written.manifest.revision == oldest != head("tenant")
    assert "audit_seals" not in written.manifest.contents
    done = import_archive(tmp_path / "old.age", keys[0], slug=slug, actor="test:1")
    assert done.contents == written.manifest.contents
    with owner_session() as session:
        query = text("SELECT revision FROM node.tenant_schemas WHERE tenant_id = :id")
        assert session.scalar(query, {"id": done.ref.id}) == head("tenant")
    with tenant_session(done.ref, actor="test:1") as session:
        value = session.cursor().execute("SELECT notes_enc FROM interventions").fetchone()[0]
        notes = vault(session).decrypt(patient_uuid(1), "interventions", "notes_enc", patient_uuid(5), value)
        assert notes == "Givenname moved"
        assert session.scalar(text("SELECT count(*) FROM audit_seals")) == 1


def test_a_restored_tenant_may_be_in_the_way_of_nobody(archive, keys, slug):
    import_archive(archive[0], keys[0], slug=slug, actor="test:1")
    with pytest.raises(Conflict):
        create_tenant(slug, "Another")
