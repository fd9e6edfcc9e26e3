"""An import clears its staged rows at its end, at once where it is alone, and never a row of another import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from core.database import TenantRef, owner_session, psycopg_connection, tenant_session
from core.privacy import vault
from core.services import ensure
from tenants.imports import repository, runner, service
from tenants.imports.models import Import
from tenants.imports.reading.sources import from_paths
from tenants.imports.runner import Runner, StagedRowsLost
from tenants.records.ids import new_uuid

from .conftest import RunImport, interrupted, rows

STAGED = """
INSERT INTO import_staging (import_uuid, seq, kind, state, file, line, source_key, digest, label, content)
VALUES (%s, 1, 'dispensations', 'refused', 0, 2, '', '', '', '')
"""
FILE = "SELECT pg_relation_filenode('import_staging')"


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "EMPTY_ROWS", 1)
    monkeypatch.setattr(repository, "EMPTY_PATIENCE", "200ms")


def asked(tenant: TenantRef, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with tenant_session(tenant, actor="test:1") as session:
        return rows(session, statement, *values)


def staged_by(tenant: TenantRef) -> list[tuple[Any, ...]]:
    return asked(tenant, "SELECT DISTINCT import_uuid FROM import_staging")


@pytest.mark.usefixtures("any_size")
def test_the_table_is_emptied_at_once_where_the_import_is_alone(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    before = asked(tenant, FILE)
    run_import(tenant, partner_files)
    assert staged_by(tenant) == []
    assert asked(tenant, FILE) != before, "the table has a new, empty file"


def test_few_rows_are_deleted_and_the_table_is_not_locked(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    before = asked(tenant, FILE)
    run_import(tenant, partner_files)
    assert staged_by(tenant) == []
    assert asked(tenant, FILE) == before


@pytest.mark.usefixtures("any_size")
@pytest.mark.parametrize("place", [0, 2**128 - 1])
def test_rows_of_another_import_stay(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path], place: int
) -> None:
    other = type(new_uuid())(int=place)
    with tenant_session(tenant, actor="test:1") as session, session.cursor() as cursor:
        cursor.execute(STAGED, (other,))
    run_import(tenant, partner_files)
    assert staged_by(tenant) == [(other,)]


@pytest.mark.usefixtures("any_size")
def test_a_schema_without_the_right_has_its_rows_deleted(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    with owner_session() as session:
        revoke = f'REVOKE TRUNCATE ON "{tenant.schema_name}".import_staging FROM "{tenant.role_name}"'
        psycopg_connection(session).execute(revoke.encode())
    before = asked(tenant, FILE)
    run_import(tenant, partner_files)
    assert (staged_by(tenant), asked(tenant, FILE)) == ([], before)


@pytest.mark.usefixtures("any_size")
def test_a_trigger_sees_each_deleted_row(tenant: TenantRef, run_import: RunImport, partner_files: list[Path]) -> None:
    schema = tenant.schema_name
    with owner_session() as session:
        driver = psycopg_connection(session)
        driver.execute(f'SET LOCAL search_path TO "{schema}"'.encode())
        driver.execute("CREATE TABLE noted (n bigint)")
        driver.execute(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS"
            " $$ BEGIN INSERT INTO noted SELECT count(*) FROM gone; RETURN NULL; END $$"
        )
        driver.execute(
            "CREATE TRIGGER noting AFTER DELETE ON import_staging REFERENCING OLD TABLE AS gone"
            " FOR EACH STATEMENT EXECUTE FUNCTION note()"
        )
        driver.execute(f'GRANT SELECT ON noted TO "{tenant.role_name}"'.encode())
    run_import(tenant, partner_files)
    assert staged_by(tenant) == []
    ((noted,),) = asked(tenant, "SELECT sum(n) FROM noted")
    assert noted > 0


@pytest.mark.usefixtures("any_size")
def test_a_reader_of_the_table_delays_no_import(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    before = asked(tenant, FILE)
    with psycopg.connect(ensure().database_owner_url) as reader:
        reader.execute(f'LOCK TABLE "{tenant.schema_name}".import_staging IN ACCESS SHARE MODE'.encode())
        run_import(tenant, partner_files)
    assert (staged_by(tenant), asked(tenant, FILE)) == ([], before)


@pytest.mark.parametrize("moment", ["reading", "checking", "writing patients", "writing dispensations"])
def test_an_import_without_its_staged_rows_stops_and_the_next_one_repairs_it(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setattr(runner, "READ_ROWS", 2)
    monkeypatch.setattr(runner, "BLOCK_ROWS", 1)
    open_session, uuid = interrupted(tenant, partner_files, moment)
    with open_session() as session, session.cursor() as cursor:
        assert session.get_one(Import, uuid).staged > 0
        cursor.execute("TRUNCATE import_staging")
    with pytest.raises(StagedRowsLost, match="are gone"):
        Runner(open_session, uuid, from_paths(partner_files), lambda *_: None).run()
    with open_session() as session:
        assert service.get(session, uuid).state == "failed"
    summary = run_import(tenant, partner_files)
    assert (summary.state, summary.rows_rejected) == ("done", 0)
    assert asked(tenant, "SELECT count(*) FROM contacts") == [(4,)]
    assert asked(tenant, "SELECT count(*) FROM import_touched") == [(0,)]


@pytest.mark.parametrize("moment", ["reading", "writing patients"])
def test_an_import_whose_key_is_destroyed_stops_and_the_next_one_repairs_it(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path], moment: str
) -> None:
    """As after restoring a backup that was made while the import ran: erased data stay erased."""
    open_session, uuid = interrupted(tenant, partner_files, moment)
    with open_session() as session:
        vault(session).erase_patient(uuid)
    with pytest.raises(StagedRowsLost, match="are gone"):
        Runner(open_session, uuid, from_paths(partner_files), lambda *_: None).run()
    assert staged_by(tenant) == []
    summary = run_import(tenant, partner_files)
    assert (summary.state, summary.rows_rejected) == ("done", 0)
    assert asked(tenant, "SELECT count(*) FROM contacts") == [(4,)]


def test_the_next_import_completes_the_rows_of_one_that_never_resumes(
    tenant: TenantRef, run_import: RunImport, partner_files: list[Path]
) -> None:
    interrupted(tenant, partner_files, "writing dispensations")
    assert asked(tenant, "SELECT count(*) FROM contacts") == [(0,)]
    others = partner_files[0].with_name("others")
    others.mkdir()
    for path in partner_files:
        (others / path.name).write_text(path.read_text(encoding="utf-8").replace("\nP", "\nQ"), encoding="utf-8")
    run_import(tenant, sorted(others.iterdir()))
    assert asked(tenant, "SELECT count(*) FROM contacts") == [(8,)]
    assert asked(tenant, "SELECT count(*) FROM import_touched") == [(0,)]
