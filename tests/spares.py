"""Schemas of tenants whose tests are over: emptied, renamed and given to the next tenant.

PostgreSQL takes a fifth of a second to create a tenant's tables, and a run makes thousands of tenants. A schema goes to
the next tenant only if its catalogue is that of a new one; whatever else a test did to it, the schema stays as it is
and a new one is made.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from uuid import UUID

RESTING = 4
"""How many of the latest schemas rest: threads that their tests left may still be at work on them."""

_CATALOGUE = """
WITH own AS MATERIALIZED (SELECT c.* FROM pg_class c WHERE c.relnamespace = %(schema)s::regnamespace)
SELECT concat_ws(' ', replace(n.nspacl::text, n.nspname, '*'),
    (SELECT sum(hashtextextended(concat_ws(' ', c.relname, c.relkind, c.relpersistence, c.relrowsecurity,
        c.relhastriggers, c.reloptions, c.relowner, replace(c.relacl::text, n.nspname, '*')), 0)) FROM own c),
    (SELECT sum(hashtextextended(concat_ws(' ', c.relname, a.attname, a.attnum, a.atttypid, a.attnotnull, a.atthasdef,
        a.attisdropped, a.attstattarget, replace(a.attacl::text, n.nspname, '*')), 0))
        FROM own c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 WHERE c.relkind = 'r'),
    (SELECT sum(hashtextextended(concat_ws(' ', c.relname, x.conname, x.convalidated, x.conenforced), 0))
        FROM own c JOIN pg_constraint x ON x.conrelid = c.oid),
    (SELECT sum(hashtextextended(concat_ws(' ', c.relname, i.indisvalid, i.indisready), 0))
        FROM own c JOIN pg_index i ON i.indexrelid = c.oid),
    (SELECT count(*) FROM own c JOIN pg_trigger t ON t.tgrelid = c.oid),
    (SELECT count(*) FROM own c JOIN pg_policy p ON p.polrelid = c.oid),
    (SELECT concat_ws(' ', r.rolcanlogin, r.rolinherit, r.rolsuper, r.rolcreaterole, r.rolcreatedb, r.rolbypassrls,
        r.rolreplication, r.rolconnlimit, r.rolvaliduntil,
        (SELECT string_agg(concat_ws(' ', nullif(m.roleid, r.oid), nullif(m.member, r.oid),
            m.inherit_option, m.set_option, m.admin_option), ' ' ORDER BY m.roleid = r.oid, m.roleid, m.member)
            FROM pg_auth_members m WHERE r.oid IN (m.roleid, m.member)),
        (SELECT count(*) FROM pg_db_role_setting s WHERE s.setrole = r.oid))
        FROM pg_roles r WHERE r.rolname = n.nspname))
FROM pg_namespace n WHERE n.oid = %(schema)s::regnamespace
"""

_KNOWN = """
SELECT current_setting('lock_timeout'),
    ARRAY(SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind = 'r'
        AND c.relname <> 'alembic_version' AND (pg_relation_size(c.oid) > 0 OR EXISTS (
            SELECT FROM pg_depend d JOIN pg_class q ON q.oid = d.objid
            WHERE d.refobjid = c.oid AND d.classid = 'pg_class'::regclass
            AND CASE q.relkind WHEN 'S' THEN pg_sequence_last_value(q.oid) END IS NOT NULL)))
FROM pg_namespace n
WHERE n.nspname = %(schema)s::text
    AND EXISTS (SELECT FROM platform.tenants t WHERE t.id = %(id)s AND t.schema_name = %(schema)s AND t.phase IS NULL)
    AND EXISTS (SELECT FROM node.tenant_schemas s
        WHERE s.tenant_id = %(id)s AND s.schema_name = %(schema)s AND s.revision = %(head)s)
    AND NOT EXISTS (SELECT FROM platform.retired_schemas r WHERE r.tenant_id = %(id)s)
    AND NOT EXISTS (SELECT FROM platform.tenant_moves m WHERE m.tenant_id = %(id)s)
"""

_RENAME = sql.SQL(
    "SET LOCAL lock_timeout TO '500ms'; {emptied}"
    " ALTER SCHEMA {old} RENAME TO {new}; ALTER ROLE {old} RENAME TO {new};"
    " {forgotten} DELETE FROM platform.tenants WHERE id = {old_id};"
    " INSERT INTO node.tenant_schemas (schema_name, tenant_id, revision) VALUES ({name}, {id}, {head});"
    " SELECT set_config('search_path', {path}, true), set_config('lock_timeout', {lock_timeout}, true);"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A tenant's schema, and the server that has it."""

    server: tuple[str, int, str]
    tenant_id: UUID
    schema: str


class Spares:
    """A plugin of pytest that knows the schemas that this process made, by who asked for them, and the free ones."""

    def __init__(self) -> None:
        self._in_use: dict[str, list[Place]] = {"function": [], "module": [], "session": []}
        self._free: deque[Place] = deque()
        self._new: dict[tuple[str, int, str], str] = {}
        self._asking: list[str] = []
        self._off = False

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
        """Note for how long the tenants live that a fixture makes."""
        self._asking.append(fixturedef.scope)
        try:
            return (yield)
        finally:
            self._asking.pop()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
        """Free the schemas of the tenants that only the ended test or module knew."""
        try:
            yield
        finally:
            self._end("function", *(["module"] if nextitem is None or nextitem.path != item.path else []))

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Give no free schema within the block, where the statistics of a schema must be its own."""
        self._off = True
        try:
            yield
        finally:
            self._off = False

    def _end(self, *scopes: str) -> None:
        """Free what was made for the scopes that end."""
        for scope in scopes:
            self._free.extend(self._in_use[scope])
            self._in_use[scope].clear()

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Let ``create_tenant`` take a free schema instead of making a new one."""
        from core.tenancy import provisioning, service

        script, provision = provisioning.script, provisioning.provision

        def take(connection: psycopg.Connection[Any], tenant_id: UUID, schema: str) -> None:
            if provisioning.script is not script:
                provision(connection, tenant_id, schema)
                return
            info = connection.info
            place = Place((info.host, info.port, info.dbname), tenant_id, schema)
            if not self._take(connection, place):
                provision(connection, tenant_id, schema)
                if place.server not in self._new:
                    self._new[place.server] = _catalogue(connection, schema)
            scope = self._asking[-1] if self._asking else "function"
            self._in_use["session" if scope == "package" else "module" if scope == "class" else scope].append(place)

        patch.setattr(service, "provision", take)

    def _take(self, connection: psycopg.Connection[Any], place: Place) -> bool:
        """Give the schema that is free for longest, or return False where there is none that is as new."""
        while len(self._free) > RESTING and not self._off:
            old = self._free.popleft()
            if old.server != place.server:
                continue
            try:
                with connection.transaction():
                    return self._rename(connection, old, place)
            except psycopg.Error:  # a test left it in use, or took something away
                continue
        return False

    def _rename(self, connection: psycopg.Connection[Any], old: Place, place: Place) -> bool:
        from core.database.scope import path_of_schema
        from core.tenancy.provisioning import head

        facts = {"schema": old.schema, "id": old.tenant_id, "head": head("tenant")}
        row = connection.execute(_KNOWN, facts).fetchone()
        if row is None or _catalogue(connection, old.schema) != self._new.get(place.server):
            return False
        lock_timeout, filled = row[0], row[1]
        connection.execute(
            _RENAME.format(
                emptied=sql.SQL("TRUNCATE {} RESTART IDENTITY;" if filled else "{}").format(
                    sql.SQL(", ").join(sql.Identifier(old.schema, table) for table in filled)
                ),
                forgotten=sql.SQL(" ").join(
                    sql.SQL("DELETE FROM {} WHERE tenant_id = {};").format(table, old.tenant_id) for table in _mortal()
                ),
                old=sql.Identifier(old.schema),
                old_id=old.tenant_id,
                new=sql.Identifier(place.schema),
                name=place.schema,
                id=place.tenant_id,
                head=head("tenant"),
                path=path_of_schema(place.schema),
                lock_timeout=lock_timeout,
            )
            .as_string(connection)
            .encode()
        )
        return True


def _catalogue(connection: psycopg.Connection[Any], schema: str) -> str:
    """A digest of all that the catalogue says of a schema and its role, except their names."""
    row = connection.execute(_CATALOGUE, {"schema": schema}).fetchone()
    return "" if row is None else str(row[0])


@cache
def _mortal() -> list[sql.Identifier]:
    """The shared tables whose rows are deleted with a tenant, referring tables first."""
    from core.database import NodeBase, PlatformBase
    from core.tenancy.archive import purging

    return [
        sql.Identifier(name, table)
        for name, base in (("node", NodeBase), ("platform", PlatformBase))
        for table in purging._mortal(base)
    ]
