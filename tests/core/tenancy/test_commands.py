"""``iit tenant`` and ``iit migrate`` say what they did, print the key once, and answer with the right exit code."""

import json

import pytest

from core.cli.main import run
from core.identity.keys import verify_key


@pytest.fixture
def iit(database, capsys):
    def call(*arguments):
        code = run(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_create_prints_the_key_alone_on_standard_output(iit):
    code, out, err = iit("tenant", "create", "by-command", "--name", "By Command")
    assert code == 0
    assert verify_key(out.strip()).tenant.slug == "by-command"
    assert "cannot be shown again" in err
    assert out.strip() not in err


def test_create_as_json_is_one_object(iit):
    code, out, _ = iit("tenant", "create", "by-json", "--time-zone", "Africa/Nairobi", "--json")
    created = json.loads(out)
    assert code == 0
    assert (created["slug"], created["time_zone"], created["state"]) == ("by-json", "Africa/Nairobi", "active")
    assert verify_key(created["api_key"]).tenant.slug == "by-json"


def test_a_bad_slug_and_a_taken_one_fail_with_what_to_do(iit, tenant):
    code, out, err = iit("tenant", "create", "Bad Slug")
    assert (code, out) == (1, "")
    assert "lower-case" in err
    code, _, err = iit("tenant", "create", tenant.slug)
    assert code == 1
    assert "iit tenant list" in err


def test_list_and_show_tell_of_a_tenant_and_nothing_secret(iit, make_tenant):
    new_tenant = make_tenant()
    code, out, _ = iit("tenant", "list", "--json")
    assert code == 0
    assert new_tenant.ref.slug in [row["slug"] for row in json.loads(out)["tenants"]]
    code, shown, _ = iit("tenant", "show", new_tenant.ref.slug, "--json")
    assert code == 0
    assert json.loads(shown)["usage"]["imports"] == "0"
    assert new_tenant.api_key not in out + shown
    code, table, _ = iit("tenant", "show", new_tenant.ref.slug)
    assert code == 0
    assert "patients_scored" in table


def test_suspend_and_resume_change_the_state(iit, tenant):
    assert iit("tenant", "suspend", tenant.slug)[:2] == (0, f"{tenant.slug} is suspended\n")
    assert iit("tenant", "resume", tenant.slug)[:2] == (0, f"{tenant.slug} is active\n")


@pytest.mark.parametrize("verb", ["show", "suspend", "resume"])
def test_an_unknown_tenant_fails(iit, verb):
    code, out, err = iit("tenant", verb, "nobody-here")
    assert (code, out) == (1, "")
    assert "nobody-here" in err


def test_migrate_with_nothing_to_do_says_so(iit, tenant):
    code, out, _ = iit("migrate", "--json")
    done = json.loads(out)
    assert code == 0
    assert not {tenant.schema_name, "platform", "node"} & {*done["upgraded"], *done["failed"]}
    assert done["skipped"] >= 3
