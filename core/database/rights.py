"""Checks for rights of PUBLIC in a data database that ``core.services.rights`` revokes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import make_url

from core import telemetry
from core.database.engines import application_role, databases, login_url
from core.database.sessions import node_session, psycopg_connection
from core.errors import AppError
from core.services import rights

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND = "run as a superuser, in that database, what `iit database rights --sql` prints"
_OPEN = (
    "an injected expression can become another tenant (set_config)",
    "one tenant can take another's locks, and read its row counts",
    "everybody may update pg_settings",
    "temporary files of a session have no limit",
    "a process that stands still keeps its locks for ever",
)

log = telemetry.get_logger(__name__)


def open_rights(database: str) -> tuple[str, ...]:
    """The dangerous rights of PUBLIC in a data database, in words; empty where all are revoked.

    Raises:
        DatabaseUnavailable: the database cannot be reached.
    """
    with node_session(database) as session:
        row = psycopg_connection(session).execute(rights.OPEN).fetchone() or ()
    return tuple(text for text, is_open in zip(_OPEN, row, strict=True) if is_open)


def warn_of_open_rights() -> None:
    """Log a warning for each data database that grants PUBLIC too much; managed servers may not allow to revoke it."""
    for database in databases():
        try:
            rights_open = open_rights(database)
        except AppError as error:
            log.warning("rights of a database not checked", database=database, reason=error.detail)
            continue
        if rights_open:
            log.warning(
                "a database gives everybody too many rights", database=database, open=rights_open, what_to_do=COMMAND
            )


def closing_sql(database: str, others: Sequence[str] = ()) -> str:
    """Return the SQL that revokes the dangerous rights of PUBLIC, for a superuser to run in the data database.

    Raises:
        LookupError: no data database has this name.
        Unavailable: this process has no login of the owner.
        Invalid: an address names no user.
    """
    owner = make_url(login_url("owner", database))
    statements = rights.statements(
        owner.database or "", owner=owner.username or "", application=application_role(), others=others
    )
    return "".join(f"{statement.as_string(None)};\n" for statement in statements)
