"""The bare side of ``bench_fleet``: the same DDL, sent by psycopg and nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg

from core.services import ensure
from core.tenancy.provisioning import new_schema_name, script

_ROLE = """
CREATE ROLE "{schema}" LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
    VALID UNTIL '-infinity';
GRANT iit_tenant TO "{schema}";
GRANT "{schema}" TO iit_app WITH INHERIT FALSE, SET TRUE;
CREATE SCHEMA "{schema}";
GRANT USAGE ON SCHEMA "{schema}" TO "{schema}";
SET LOCAL search_path TO "{schema}", extensions, pg_temp;
INSERT INTO node.tenant_schemas (schema_name, tenant_id, revision)
    SELECT '{schema}', '{id}', max(version) FROM (VALUES {revision}) AS one (version);
"""


class Raw:
    """The owner's bare connection."""

    def __init__(self, link: psycopg.Connection[tuple[object, ...]]) -> None:
        self.link = link
        self._text = script()
        self._revision = self._text.split("INSERT INTO alembic_version VALUES ", 1)[1].split(";", 1)[0]

    def make(self, link: psycopg.Connection[tuple[object, ...]] | None = None) -> None:
        """Create a tenant's role, schema and tables: one string, one transaction, by default on the shared
        connection.
        """
        link = link or self.link
        schema = new_schema_name()
        before = _ROLE.format(schema=schema, id=uuid4(), revision=self._revision)
        with link.transaction():
            link.execute((before + self._text.replace(':"tenant"', f'"{schema}"')).encode())

    def make_apart(self) -> None:
        """Create a tenant on its own connection."""
        with psycopg.connect(ensure().database_owner_url, autocommit=True) as link:
            self.make(link)

    def tenants(self) -> int:
        """Return the number of tenants, whatever created them."""
        row = self.link.execute("SELECT count(*) FROM node.tenant_schemas").fetchone()
        return int(str(row[0])) if row else 0

    def add_column(self, name: str, connections: int) -> None:
        """Add a column and its index in every tenant's schema, over ``connections`` connections."""
        rows = self.link.execute("SELECT schema_name FROM node.tenant_schemas ORDER BY 1").fetchall()
        schemas = [str(row[0]) for row in rows]
        with ThreadPoolExecutor(connections) as pool:
            shares = [schemas[start::connections] for start in range(connections)]
            for done in [pool.submit(_add, share, name) for share in shares]:
                done.result()


def _add(schemas: list[str], name: str) -> None:
    with psycopg.connect(ensure().database_owner_url, autocommit=True) as link:
        for schema in schemas:
            text = (
                f'ALTER TABLE "{schema}".visits ADD COLUMN "{name}" integer;'
                f'CREATE INDEX "ix_{name}" ON "{schema}".visits ("{name}")'
            )
            link.execute(text.encode())
