"""Command and API say plainly that a database is not migrated, or that a process does not know it."""

from __future__ import annotations

import pytest

from core.cli.main import run as iit
from core.database import DatabaseNotMigrated, dispose, owner_connection
from core.database.upgrade import migrate
from core.services.manager import add_database
from core.tenancy import create_tenant
from core.tenancy.service import check
from tests.core.data_databases import Closed, Unknown
from tests.keyed import KeyedClient


@pytest.fixture(scope="module")
def new(own_services):
    """A data database that was made and not migrated."""
    add_database("north")
    dispose()
    return "north"


@pytest.fixture(scope="module")
def new_tenant(own_services):
    return create_tenant("here", "Partner")


@pytest.fixture
def lost():
    """The control database as before its first migration."""
    with owner_connection() as connection:
        connection.execute("ALTER SCHEMA platform RENAME TO platform_kept")
    yield
    with owner_connection("default") as connection:
        connection.execute("ALTER SCHEMA platform_kept RENAME TO platform")


def test_a_move_to_it_is_rejected_before_anything_is_begun(new, new_tenant, capsys):
    assert iit(["tenant", "move", "here", "--to", new]) == 1
    error_text = capsys.readouterr().err
    assert "the data database north is not set up" in error_text
    assert "iit migrate" in error_text
    with owner_connection() as connection:
        assert connection.execute("SELECT count(*) FROM platform.tenant_moves").fetchone() == (0,)


def test_no_tenant_is_made_or_restored_there(new):
    with pytest.raises(DatabaseNotMigrated, match="north") as error:
        check("anybody", "Partner", "Africa/Lagos", new)
    assert "iit migrate" in error.value.command


@pytest.mark.parametrize("command", [["tenant", "list"], ["jobs", "list"], ["migrate", "status"], ["worker"]])
def test_commands_say_what_to_do_where_nothing_was_migrated(new_tenant, lost, capsys, command):
    assert iit(command) == 1
    error_text = capsys.readouterr().err
    assert "iit migrate" in error_text
    assert "Traceback" not in error_text


def test_the_api_answers_503_where_nothing_was_migrated(new_tenant, lost):
    from core.app.factory import create_app

    with KeyedClient(create_app(), headers={"X-API-Key": new_tenant.api_key}) as client:
        answer = client.get("/v1/audit")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert "Ask the operator of this installation to migrate" in answer.json()["remedy"]


@pytest.fixture(scope="module")
def away(new):
    """A tenant in a data database."""
    migrate()
    return create_tenant("away", "Partner", database=new)


TENANT_COMMANDS = [
    ["tenant", "show", "away"],
    ["tenant", "backup", "away", "--to", "TMP/f"],
    ["tenant", "move", "away", "--to", "default"],
    ["settings", "list", "away"],
    ["settings", "set", "away", "risk.reasons", "2"],
    ["retention", "run", "away"],
    ["audit", "verify", "away"],
    ["jobs", "list", "--tenant", "away"],
    ["indicators", "away", "--period", "2026Q1"],
    ["score", "away"],
]


@pytest.mark.parametrize("without", [Closed, Unknown])
@pytest.mark.parametrize("command", TENANT_COMMANDS, ids=" ".join)
def test_commands_on_a_tenant_whose_database_cannot_be_had_say_so(away, capsys, tmp_path, without, command):
    with without("north"):
        assert iit([word.replace("TMP", str(tmp_path)) for word in command]) == 1
    error_text = capsys.readouterr().err
    assert ("does not know" if without is Unknown else "cannot be reached") in error_text
    assert "what to do:" in error_text


@pytest.mark.parametrize("without", [Closed, Unknown])
def test_the_api_answers_503_for_such_a_tenant_and_serves_the_others(new_tenant, away, without):
    from core.app.factory import create_app

    with without("north"), KeyedClient(create_app()) as client:
        answers = [client.get("/v1/audit", headers={"X-API-Key": key}) for key in (away.api_key, new_tenant.api_key)]
    assert [answer.status_code for answer in answers] == [503, 200]
    assert answers[0].json()["remedy"]
    assert answers[0].headers["retry-after"]
