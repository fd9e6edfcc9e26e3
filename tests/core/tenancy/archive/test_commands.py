"""``iit archive``, ``iit audit`` and the commands of ``iit tenant`` for archives say what they did, and end rightly."""

import json
import secrets

import pytest
from click.testing import CliRunner

from core.cli.main import run
from core.identity.keys import verify_key
from core.tenancy import describe_tenant
from core.tenancy.archive.commands import delete
from tests.core.tenancy.archive.conftest import fill


@pytest.fixture
def iit(database, capsys):
    def call(*arguments):
        code = run([str(one) for one in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_keygen_writes_a_secret_file_and_a_public_one_and_prints_the_public_key(iit, tmp_path):
    code, out, err = iit("archive", "keygen", tmp_path / "their")
    assert code == 0
    assert out.strip() == (tmp_path / "their.pub").read_text().strip()
    assert out.startswith("age1")
    assert (tmp_path / "their.key").stat().st_mode & 0o077 == 0
    secret = (tmp_path / "their.key").read_text().splitlines()[-1]
    assert secret not in out + err
    code, _, err = iit("archive", "keygen", tmp_path / "their")
    assert (code, "exists already" in err) == (1, True)


def test_from_export_to_purge_and_back_by_commands(iit, tenant, open_session, keys, tmp_path):
    fill(tenant, open_session, patients=4)
    path, slug = tmp_path / "a.age", tenant.slug
    code, out, _ = iit("tenant", "export", slug, "--to", path, "--recipient", keys[1], "--json")
    exported = json.loads(out)
    assert (code, exported["contents"]["patients"]["rows"], len(exported["blobs"])) == (0, 4, 2)
    code, out, err = iit("tenant", "verify-archive", path, "--identity", keys[0], "--against", slug)
    assert (code, out.splitlines()[-1]) == (0, f"{slug} holds the same rows"), err
    assert iit("tenant", "delete", slug, "--confirm", slug, "--grace-days", "0", "--json")[0] == 0
    assert json.loads(iit("tenant", "show", slug, "--json")[1])["state"] == "deleting"
    code, out, _ = iit("tenant", "purge", "--json")
    gone = json.loads(out)
    assert (code, gone["failed"]) == (0, {})
    assert slug in {one["slug"] for one in gone["purged"]}
    code, out, _ = iit("audit", "verify", slug, "--json")
    assert (code, json.loads(out)["intact"]) == (0, True)
    code, out, _ = iit("tenant", "import-archive", path, "--identity", keys[0], "--json")
    back = json.loads(out)
    assert (code, back["same"], back["found"]) == (0, True, exported["contents"])
    assert verify_key(back["api_key"]).tenant.slug == slug


def test_the_restored_tenants_key_is_alone_on_the_last_line_of_standard_output(iit, archive, keys):
    slug = f"last-{secrets.token_hex(4)}"
    code, out, err = iit("tenant", "import-archive", archive[0], "--identity", keys[0], "--slug", slug)
    key = out.splitlines()[-1]
    assert (code, verify_key(key).tenant.slug) == (0, slug)
    assert key not in err
    assert "sha256 found" in out


def test_a_tenant_that_differs_from_its_archive_ends_with_1(iit, archive, keys, tenant):
    code, out, _ = iit(
        "tenant", "verify-archive", archive[0], "--identity", keys[0], "--against", tenant.slug, "--json"
    )
    report = json.loads(out)
    assert (code, report["intact"], report["same"]) == (1, True, False)
    assert "patients" in report["differ"]


def test_a_damaged_archive_ends_with_1_and_says_what_to_do(iit, archive, keys, tmp_path):
    (tmp_path / "cut.age").write_bytes(archive[0].read_bytes()[:-100])
    code, out, err = iit("tenant", "verify-archive", tmp_path / "cut.age", "--identity", keys[0])
    assert (code, out) == (1, "")
    assert "cut short" in err
    assert "what to do" in err


def test_delete_asks_for_the_slug_again(tenant):
    wrong = CliRunner().invoke(delete, [tenant.slug], input="something-else\n")
    assert wrong.exit_code != 0
    assert describe_tenant(tenant.slug).phase is None
    right = CliRunner().invoke(delete, [tenant.slug], input=f"{tenant.slug}\n")
    assert right.exit_code == 0
    assert describe_tenant(tenant.slug).phase == "deleting"


def test_sealing_and_verifying_by_command(iit, tenant, open_session):
    fill(tenant, open_session, patients=1)
    assert json.loads(iit("audit", "seal", tenant.slug, "--json")[1]) == {"seals": 0, "events": 0}
    code, out, _ = iit("audit", "verify", tenant.slug)
    assert (code, out.splitlines()[0]) == (0, f"the audit of {tenant.slug} is intact")
    assert iit("audit", "verify", "nobody-here")[0] == 1
