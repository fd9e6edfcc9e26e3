"""The commands say what they did, as text and as one JSON object, and reject what they cannot do."""

import json

import pytest

from core.cli.main import run
from core.database import tenant_session
from core.errors import Invalid
from core.tenancy import get_tenant
from tests.core.tenancy.move.conftest import put, rows


@pytest.fixture
def iit(database, capsys):
    def call(*arguments):
        code = run([str(word) for word in arguments])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_backup_and_restore(iit, tenant, tmp_path):
    file = tmp_path / "t.iitbackup"
    code, out, _ = iit("tenant", "backup", tenant.slug, "--to", file, "--json")
    saved = json.loads(out)
    assert (code, saved["tenant_id"], len(saved["sha256"])) == (0, str(tenant.id), 64)
    with tenant_session(tenant, actor="test:1") as session:
        put(session, "later")
    code, out, _ = iit("tenant", "restore", tenant.slug, file, "--json")
    back = json.loads(out)
    assert (code, back["rows"]) == (0, saved["rows"])
    assert rows(get_tenant(tenant.slug), "SELECT key FROM tenant_settings") == []
    code, out, _ = iit("tenant", "restore", tenant.slug, back["previous"], "--keep-old")
    assert code == 0
    assert "all compared" in out
    assert rows(get_tenant(tenant.slug), "SELECT key FROM tenant_settings") == [("later",)]
    listed = json.loads(iit("tenant", "retired", "--json")[1])["kept"]
    assert [row["reason"] for row in listed if row["slug"] == tenant.slug] == ["restored"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("restore", "SLUG"), "give FILE, or --at TIME"),
        (("restore", "SLUG", "--at", "yesterday"), "not a moment with a time zone"),
        (("restore", "SLUG", "--at", "2026-01-01T10:00"), "not a moment with a time zone"),
        (("move", "SLUG"), "give --to DATABASE, or --abort"),
        (("move", "SLUG", "--to", "x", "--abort"), "give --to DATABASE, or --abort"),
    ],
)
def test_a_wrong_call_says_what_to_give(iit, tenant, words, message):
    code, _, err = iit("tenant", *(tenant.slug if word == "SLUG" else word for word in words))
    assert code == 2
    assert message in " ".join(err.split())


def test_what_cannot_be_done_says_what_to_do(iit, tenant, tmp_path):
    code, _, err = iit("tenant", "move", tenant.slug, "--to", "west")
    assert code == 1
    assert "no data database 'west'" in err
    assert iit("tenant", "move", tenant.slug, "--to", "default")[0] == 1
    assert iit("tenant", "move", tenant.slug, "--abort")[1] == f"{tenant.slug} is not being moved\n"
    code, _, err = iit("tenant", "backup", tenant.slug, "--to", tmp_path / "none" / "file")
    assert code == 1
    assert "cannot be written" in err


def test_the_group_lists_its_lazy_commands(iit):
    out = iit("tenant", "--help")[1]
    for word in ("create", "backup", "move", "restore", "retired"):
        assert f"\n  {word} " in out


class TestAll:
    @pytest.fixture(autouse=True)
    def _tenants(self, two_tenants, monkeypatch):
        """Of the run's many tenants, two."""
        from core.tenancy.backup import saving

        monkeypatch.setattr(saving, "list_tenants", lambda: list(two_tenants))

    def test_every_tenant_gets_a_file_that_can_be_restored(self, iit, two_tenants, tmp_path):
        code, out, _ = iit("backup", "--all", "--to", tmp_path / "night", "--json")
        saved = json.loads(out)["saved"]
        assert (code, set(saved)) == (0, {tenant.slug for tenant in two_tenants})
        for slug, one in saved.items():
            assert iit("tenant", "restore", slug, one["file"])[0] == 0

    @pytest.mark.parametrize("error", [Invalid("it does not do"), ZeroDivisionError("secret")])
    def test_one_that_fails_does_not_stop_the_others(self, iit, two_tenants, tmp_path, monkeypatch, error):
        from core.tenancy.backup import saving

        first, second = two_tenants
        genuine = saving.backup

        def sometimes(slug, file):
            if slug == first.slug:
                raise error
            return genuine(slug, file)

        monkeypatch.setattr(saving, "backup", sometimes)
        code, out, err = iit("tenant", "backup", "--all", "--to", tmp_path, "--json")
        report = json.loads(out)
        assert (code, list(report["saved"]), list(report["failed"])) == (3, [second.slug], [first.slug])
        assert first.slug in err
        assert "secret" not in out + err

    def test_where_all_fail_the_command_fails(self, iit, two_tenants, tmp_path, monkeypatch):
        from core.tenancy.backup import saving

        monkeypatch.setattr(saving, "backup", lambda *_: 1 / 0)
        assert iit("backup", "--all", "--to", tmp_path)[0] == 1

    def test_a_tenant_that_is_being_restored_or_destroyed_is_skipped_and_named(
        self, iit, two_tenants, tmp_path, monkeypatch
    ):
        from dataclasses import replace

        from core.tenancy.backup import saving

        first, second = two_tenants
        monkeypatch.setattr(saving, "list_tenants", lambda: [replace(first, state="purging"), second])
        code, out, err = iit("backup", "--all", "--to", tmp_path, "--json")
        assert (code, json.loads(out)["skipped"], list(json.loads(out)["saved"])) == (0, [first.slug], [second.slug])
        assert first.slug in err

    @pytest.mark.parametrize("words", [["--all", "SLUG"], []])
    def test_one_or_all_must_be_said(self, iit, tmp_path, words):
        code, _, err = iit("backup", *words, "--to", tmp_path / "x")
        assert (code, "give SLUG, or --all" in err) == (2, True)

    def test_a_folder_that_cannot_be_made_is_told(self, iit, tmp_path):
        (tmp_path / "file").write_text("")
        code, _, err = iit("backup", "--all", "--to", tmp_path / "file")
        assert (code, "cannot be created" in err) == (1, True)
