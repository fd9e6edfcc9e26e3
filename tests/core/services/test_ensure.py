"""What ``ensure`` promises while nothing goes wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import redis

from core.services.postgres import command_line
from tests.core.services.conftest import ask

if TYPE_CHECKING:
    from tests.core.services.conftest import Place


def test_both_servers_answer_with_the_generated_credentials(shared_place: Place) -> None:
    services = shared_place.ensure()
    assert ask(services.database_url, "SELECT current_user") == "iit_app"
    assert ask(services.database_owner_url, "SELECT current_user") == "iit_owner"
    with redis.Redis.from_url(services.redis_url) as link:
        assert link.ping()


def test_a_second_call_gives_the_same_addresses_and_starts_nothing(shared_place: Place) -> None:
    first, pid = shared_place.ensure(), shared_place.postmaster()
    assert shared_place.ensure() == first
    assert shared_place.postmaster() == pid


def test_neither_role_is_a_superuser_and_the_application_inherits_nothing(shared_place: Place) -> None:
    owner = shared_place.ensure().database_owner_url
    query = "SELECT rolsuper, rolcreaterole, rolcreatedb, rolinherit FROM pg_roles WHERE rolname = %s"
    with psycopg.connect(owner) as link:
        assert link.execute(query, ["iit_app"]).fetchone() == (False, False, False, False)
        assert link.execute(query, ["iit_owner"]).fetchone() == (False, True, False, True)


@pytest.mark.parametrize("database", ["iit", "postgres", "template1"])
def test_only_who_was_let_in_may_connect_to_a_database(shared_place: Place, database: str) -> None:
    query = "SELECT has_database_privilege('public', %s, 'CONNECT')"
    assert ask(shared_place.ensure().database_owner_url, query, database) is False


def test_the_extensions_are_in_their_own_schema_which_the_owner_owns(shared_place: Place) -> None:
    owner = shared_place.ensure().database_owner_url
    query = "SELECT array_agg(extname::text ORDER BY extname) FROM pg_extension WHERE extnamespace = %s::regnamespace"
    assert ask(owner, query, "extensions") == ["btree_gist", "pg_stat_statements", "pg_trgm", "vector"]
    assert ask(owner, "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'extensions'") == "iit_owner"


def test_the_application_begins_with_an_empty_search_path_and_can_make_nothing(shared_place: Place) -> None:
    app = shared_place.ensure().database_url
    assert ask(app, "SELECT array_length(current_schemas(false), 1) IS NULL") is True
    with psycopg.connect(app) as link, pytest.raises(psycopg.errors.InsufficientPrivilege):
        link.execute("CREATE TABLE public.left_behind (id int)")


def test_a_wrong_password_is_rejected(shared_place: Place) -> None:
    services = shared_place.ensure()
    wrong = services.database_url.replace(shared_place.state.app_password, "guess")
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(wrong)
    with (
        redis.Redis(port=shared_place.state.valkey_port, password="guess") as link,
        pytest.raises(redis.AuthenticationError),
    ):
        link.ping()


def test_the_passwords_are_for_the_owners_eyes_only(shared_place: Place) -> None:
    services = shared_place.ensure()
    assert (shared_place.folder / "services.json").stat().st_mode & 0o777 == 0o600
    assert shared_place.data.stat().st_mode & 0o077 == 0
    assert shared_place.state.app_password not in repr(services)
    valkey = int((shared_place.data.parent / "valkey.pid").read_text())
    shown = command_line(shared_place.postmaster()) + command_line(valkey)
    known = shared_place.state
    assert str(shared_place.data) in shown
    for secret in (known.superuser_password, known.owner_password, known.app_password, known.valkey_password):
        assert secret not in shown


def test_the_log_gets_no_statement_and_no_value(shared_place: Place) -> None:
    owner = shared_place.ensure().database_owner_url
    with psycopg.connect(owner) as link:
        link.execute("CREATE TEMPORARY TABLE people (phone text PRIMARY KEY)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            link.execute("INSERT INTO people VALUES ('08031234567'), ('08031234567')")
    log = (shared_place.data.parent / "postgres.log").read_text()
    assert "duplicate key" in log
    assert "08031234567" not in log


def test_two_processes_at_once_start_one_server(place: Place) -> None:
    code = "import sys; from core.services import ensure; sys.stdout.write(ensure().database_url)"
    root = Path(__file__).resolve().parents[3]
    with place.environment():
        command = [sys.executable, "-c", code]
        started = [subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        addresses = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert addresses[0] == addresses[1]
    assert ask(addresses[0], "SELECT 1") == 1


def test_two_state_folders_have_servers_of_their_own(shared_place: Place, place: Place) -> None:
    ours, theirs = shared_place.ensure(), place.ensure()
    assert {shared_place.state.postgres_port, shared_place.state.valkey_port}.isdisjoint(
        {place.state.postgres_port, place.state.valkey_port}
    )
    crossed = ours.database_url.replace(str(shared_place.state.postgres_port), str(place.state.postgres_port))
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(crossed)
    assert ask(theirs.database_url, "SELECT 1") == 1
    place.stop()
    assert ask(ours.database_url, "SELECT 1") == 1
