"""Single questions to a server as its superuser, for base backups and recoveries."""

from __future__ import annotations

from typing import Any

import psycopg

from core.errors import Unavailable


def ask(url: str, statement: str) -> tuple[Any, ...]:
    """Return the first row of one constant statement, run in its own transaction.

    Raises:
        Unavailable: the server does not answer, or rejects the statement.
    """
    try:
        with psycopg.connect(url, connect_timeout=5) as link:
            row = link.execute(statement.encode()).fetchone()
    except psycopg.Error as error:
        detail = f"the embedded PostgreSQL rejected: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
        raise Unavailable(detail, command="see `iit services status`") from error
    return row or ()
