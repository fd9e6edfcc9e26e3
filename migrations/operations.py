"""Operations of migrations besides Alembic's own: privileges and row policies.

Released scripts call these for ever, so their meaning never changes; a new need gets a new function.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from alembic import op
from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterator

TENANTS = "iit_tenant"
"""The role whose members are all tenants' roles; it holds their rights in ``node``."""

_TRIGGER = "RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS $$"
_OF_OLD_ROWS = ("reject_change", "guard_use")
"""Trigger functions that do not look at new rows."""

_PRIVILEGES = re.compile(r"[A-Z]+( \([a-z_]+(, [a-z_]+)*\))?(, [A-Z]+( \([a-z_]+(, [a-z_]+)*\))?)*")


@contextmanager
def concurrently(schema: str, index: str) -> Iterator[None]:
    """Leave the transaction for CREATE INDEX CONCURRENTLY, after dropping the half-built index of a killed try.

    Leaving commits the earlier steps of the script. So this must be the first step, and its statement must say IF NOT
    EXISTS.
    """
    with op.get_context().autocommit_block():
        connection = op.get_bind()
        parameters = {"name": f"{_quoted(schema)}.{_quoted(index)}"}
        wait = connection.scalar(text("SELECT current_setting('lock_timeout')"))
        half_made = connection.scalar(
            text("SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid)"),
            parameters,
        )
        connection.execute(text("SET lock_timeout = 0"))  # it waits for other transactions, and blocks nobody
        if half_made:
            connection.execute(text(f"DROP INDEX CONCURRENTLY {parameters['name']}"))
        yield
        connection.execute(text("SELECT set_config('lock_timeout', :wait, false)"), {"wait": wait})


def application_role() -> str:
    """The application's role, quoted."""
    return _quoted(op.get_context().opts["application_role"])


def grant_tenant(privileges: str, *tables: str) -> None:
    """Grant the migrating schema's tenant ``privileges`` on its tables. Its role has the schema's name."""
    role = _quoted(op.get_context().opts["schema"])
    op.execute(f"GRANT {_checked(privileges)} ON {', '.join(_quoted(table) for table in tables)} TO {role}")


def grant_application(privileges: str, schema: str, *tables: str) -> None:
    """Grant the application's role ``privileges`` on tables of ``node`` or ``platform``."""
    named = ", ".join(f"{_quoted(schema)}.{_quoted(table)}" for table in tables)
    op.execute(f"GRANT {_checked(privileges)} ON {named} TO {application_role()}")


def regrant_tenant(privileges: str, *tables: str) -> None:
    """Grant the migrating schema's tenant exactly ``privileges`` on its tables, and revoke all others."""
    role = _quoted(op.get_context().opts["schema"])
    op.execute(f"REVOKE ALL ON {', '.join(_quoted(table) for table in tables)} FROM {role}")
    grant_tenant(privileges, *tables)


def regrant_application(privileges: str, schema: str, *tables: str) -> None:
    """Grant the application's role exactly ``privileges`` on tables, and revoke all others."""
    named = ", ".join(f"{_quoted(schema)}.{_quoted(table)}" for table in tables)
    op.execute(f"REVOKE ALL ON {named} FROM {application_role()}")
    grant_application(privileges, schema, *tables)


def regrant_tenants(privileges: str, schema: str, table: str) -> None:
    """Grant tenants exactly ``privileges`` on a table; its row policies stay."""
    named = f"{_quoted(schema)}.{_quoted(table)}"
    op.execute(f"REVOKE ALL ON {named} FROM {TENANTS}")
    op.execute(f"GRANT {_checked(privileges)} ON {named} TO {TENANTS}")


def open_schema(schema: str, *, tenants: bool) -> None:
    """Grant the application, and tenants if ``tenants``, the use of ``node`` or ``platform``."""
    op.execute(f"GRANT USAGE ON SCHEMA {_quoted(schema)} TO {application_role()}")
    if tenants:
        op.execute(f"GRANT USAGE ON SCHEMA {_quoted(schema)} TO {TENANTS}")


def make_tenants_role() -> None:
    """Create the role of all tenants. Roles belong to the whole server, so another database may have created it."""
    op.execute(
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{TENANTS}') THEN"
        f" CREATE ROLE {TENANTS} NOLOGIN; END IF; END $$"
    )
    op.execute(f"GRANT USAGE ON SCHEMA extensions TO {TENANTS}")


def own_rows_only(privileges: str, schema: str, table: str) -> None:
    """Grant tenants ``privileges`` on rows whose ``tenant_role`` is their own; the application sees all rows."""
    named = f"{_quoted(schema)}.{_quoted(table)}"
    op.execute(f"GRANT {_checked(privileges)} ON {named} TO {TENANTS}")
    op.execute(f"ALTER TABLE {named} ENABLE ROW LEVEL SECURITY")
    own = "tenant_role = current_user"
    op.execute(f"CREATE POLICY own_rows ON {named} TO {TENANTS} USING ({own}) WITH CHECK ({own})")
    op.execute(f"CREATE POLICY application ON {named} TO {application_role()} USING (true) WITH CHECK (true)")


def make_own_tenant_function() -> None:
    """Create ``node.own_tenant_id()``, which returns the tenant of the acting role, and NULL for any other role.

    Tenants cannot read ``node.tenant_schemas``, so the function runs with the rights of its owner. It answers about the
    caller's own role only. PL/pgSQL keeps its plan for the life of a connection; a function in SQL would be planned at
    every call.
    """
    op.execute(
        "CREATE FUNCTION node.own_tenant_id() RETURNS uuid LANGUAGE plpgsql STABLE SECURITY DEFINER"
        " SET search_path = '' AS $$ BEGIN RETURN (SELECT tenant_id FROM node.tenant_schemas WHERE schema_name ="
        " CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role') END); END $$"
    )
    op.execute("REVOKE ALL ON FUNCTION node.own_tenant_id() FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION node.own_tenant_id() TO {TENANTS}")


def make_own_lock_functions() -> None:
    """Create ``node.lock_own(name, shared)`` and ``node.try_lock_own(name)``: advisory locks of the acting tenant.

    Each lasts until its transaction ends. Its number is a digest of the acting role and the name, so that no name leads
    to a lock of another tenant or the platform. Tenants may call no other function that locks by number.
    """
    number = (
        "('x' || left(encode(sha256(convert_to(CASE current_setting('role') WHEN 'none' THEN session_user::text"
        " ELSE current_setting('role') END || ':' || name, 'UTF8')), 'hex'), 16))::bit(64)::bigint"
    )
    head = "LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$ BEGIN"
    op.execute(
        f"CREATE FUNCTION node.lock_own(name text, shared boolean) RETURNS void {head} IF shared"
        f" THEN PERFORM pg_advisory_xact_lock_shared({number}); ELSE PERFORM pg_advisory_xact_lock({number}); END IF;"
        " END $$"
    )
    op.execute(
        f"CREATE FUNCTION node.try_lock_own(name text) RETURNS boolean {head} RETURN pg_try_advisory_xact_lock({number});"
        " END $$"
    )
    for function in ("node.lock_own(text, boolean)", "node.try_lock_own(text)"):
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO {TENANTS}")


def make_audit_seal_function() -> None:
    """Create ``node.add_audit_seal(...)``, with which the application adds a seal to a tenant's audit.

    The tenant's own role may not, because a forged seal would make an intact audit look tampered with.
    """
    columns = (
        "number, first_event, last_event, members, events, settled_through, rows_digest, previous, digest, sealed_at"
    )
    types = "bigint, bigint, bigint, int8multirange, bigint, bigint, bytea, bytea, bytea, timestamptz"
    places = ", ".join(f"${place}" for place in range(2, 12))
    op.execute(
        f"CREATE FUNCTION node.add_audit_seal(uuid, {types}) RETURNS void LANGUAGE plpgsql SECURITY DEFINER"  # noqa: S608 - constants
        " SET search_path = '' AS $$ BEGIN EXECUTE format("
        f"'INSERT INTO %I.audit_seals ({columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',"
        f" (SELECT schema_name FROM node.tenant_schemas WHERE tenant_id = $1)) USING {places}; END $$"
    )
    op.execute(f"REVOKE ALL ON FUNCTION node.add_audit_seal(uuid, {types}) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION node.add_audit_seal(uuid, {types}) TO {application_role()}")


def make_document_guards() -> None:
    """Create the trigger functions that stop changes of documents of money, for every login.

    ``reject_change`` is for rows that never change. ``guard_invoice`` lets a draft change, and of an issued invoice only
    its state with the dates of payment and cancellation. ``guard_invoice_line`` is for the lines of a draft.
    ``guard_number`` lets a series begin at 1 and go on by 1. ``guard_subscription`` lets ``invoiced_until`` be the end of
    the last period with an issued invoice.
    """
    _make_reject_change("platform")
    op.execute(
        f"CREATE FUNCTION platform.guard_invoice() {_TRIGGER}"
        " DECLARE free text[] := ARRAY['state', 'paid_on', 'voided_on', 'void_reason']; BEGIN"
        " IF TG_OP = 'INSERT' THEN IF NEW.state <> 'draft' THEN"
        " RAISE EXCEPTION 'an invoice begins as a draft'; END IF; RETURN NEW; END IF;"
        " IF OLD.state = 'draft' THEN IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END IF;"
        " IF TG_OP = 'DELETE' OR OLD.state = 'void' OR NEW.state = 'draft'"
        " OR to_jsonb(NEW) - free <> to_jsonb(OLD) - free THEN"
        " RAISE EXCEPTION 'the issued document % never changes', OLD.id; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE FUNCTION platform.guard_invoice_line() {_TRIGGER} DECLARE document uuid; BEGIN"  # noqa: S608 - constants
        " IF TG_OP = 'DELETE' THEN document := OLD.invoice_id; ELSE document := NEW.invoice_id; END IF;"
        " IF TG_OP = 'UPDATE' OR (SELECT state FROM platform.invoices WHERE id = document) <> 'draft' THEN"
        " RAISE EXCEPTION 'the lines of the issued document % never change', document; END IF;"
        " IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE FUNCTION platform.guard_number() {_TRIGGER} BEGIN"
        " IF TG_OP = 'INSERT' AND NEW.last = 1 THEN RETURN NEW; END IF;"
        " IF TG_OP = 'UPDATE' AND NEW.series = OLD.series AND NEW.last = OLD.last + 1 THEN RETURN NEW; END IF;"
        " RAISE EXCEPTION 'a series of numbers begins at 1 and goes on by 1'; END $$"
    )
    op.execute(
        f"CREATE FUNCTION platform.guard_subscription() {_TRIGGER}"  # noqa: S608 - constants
        " DECLARE free text[] := ARRAY['ends_on', 'invoiced_until']; BEGIN"
        " IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND to_jsonb(NEW) - free <> to_jsonb(OLD) - free) THEN"
        " RAISE EXCEPTION 'the subscription % never changes, apart from its end', OLD.id; END IF;"
        " IF TG_OP = 'UPDATE' AND NEW.invoiced_until IS NOT DISTINCT FROM OLD.invoiced_until THEN RETURN NEW; END IF;"
        " IF NEW.invoiced_until IS DISTINCT FROM (SELECT max(period_end) FROM platform.invoices"
        " WHERE subscription_id = NEW.id AND kind = 'invoice' AND state IN ('final', 'paid')) THEN"
        " RAISE EXCEPTION 'the subscription % is invoiced until the end of its last issued invoice', NEW.id; END IF;"
        " RETURN NEW; END $$"
    )


def make_use_guards() -> None:
    """Create the trigger functions that stop changes of recorded uses, for every login.

    ``guard_use`` lets a transaction move the uses of a tenant: it names their role in ``iit.moves_uses_of``, then deletes
    them here, or gives them another role.
    """
    _make_reject_change("node")
    op.execute(
        f"CREATE FUNCTION node.guard_use() {_TRIGGER} BEGIN"
        " IF current_setting('iit.moves_uses_of', true) = OLD.tenant_role THEN"
        " IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;"
        " IF to_jsonb(NEW) - 'tenant_role' = to_jsonb(OLD) - 'tenant_role' THEN RETURN NEW; END IF; END IF;"
        " RAISE EXCEPTION 'the recorded use % never changes: correct it by a counter-entry', OLD.id; END $$"
    )


def _make_reject_change(schema: str) -> None:
    op.execute(
        f"CREATE FUNCTION {schema}.reject_change() {_TRIGGER} BEGIN"
        " RAISE EXCEPTION 'rows of %.% never change', TG_TABLE_SCHEMA, TG_TABLE_NAME; END $$"
    )


def guard_rows(function: str, schema: str, table: str) -> None:
    """Call a trigger function of ``make_document_guards`` or ``make_use_guards`` before each change; reject TRUNCATE."""
    events = "UPDATE OR DELETE" if function in _OF_OLD_ROWS else "INSERT OR UPDATE OR DELETE"
    op.execute(
        f"CREATE TRIGGER guard BEFORE {events} ON {_quoted(schema)}.{_quoted(table)}"
        f" FOR EACH ROW EXECUTE FUNCTION {_quoted(schema)}.{_quoted(function)}()"
    )
    op.execute(
        f"CREATE TRIGGER guard_all BEFORE TRUNCATE ON {_quoted(schema)}.{_quoted(table)}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {_quoted(schema)}.reject_change()"
    )


def bind_tenant_id(schema: str, table: str) -> None:
    """Limit tenants' writes to rows with their own ``tenant_id``, besides ``tenant_role``."""
    op.execute(
        f"ALTER POLICY own_rows ON {_quoted(schema)}.{_quoted(table)} TO {TENANTS}"
        " WITH CHECK (tenant_role = current_user AND tenant_id = (SELECT node.own_tenant_id()))"
    )


def _quoted(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_$-]{0,62}", name):
        message = f"{name!r} is not an identifier that migrations quote"
        raise ValueError(message)
    return f'"{name}"'


def _checked(privileges: str) -> str:
    if not _PRIVILEGES.fullmatch(privileges):
        message = f"{privileges!r} is not a list of privileges"
        raise ValueError(message)
    return privileges
