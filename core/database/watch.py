"""Health of a data database: dead rows, tables without vacuum or analyse, causes that block vacuum, large tables.

A thousand tenants have tens of thousands of tables. So one query covers all, and sizes are those that the last vacuum
or analyse saw (``pg_class.relpages``), not asked of the file system.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from core.database.engines import databases
from core.database.sessions import owner_connection

if TYPE_CHECKING:
    from collections.abc import Iterable

DEAD_ROWS: Final = 10_000
"""The number of dead rows below which a table is never over its limit."""
DEAD_SHARE: Final = 0.3
"""The limit of dead rows over all rows. Autovacuum comes at 0.2, so beyond this a table has waited too long."""
CHANGED_SHARE: Final = 0.5
"""The limit of changed rows since the last analyse over all rows, from ``DEAD_ROWS`` changes on."""
HELD_TRANSACTIONS: Final = 5_000_000
"""The limit of transactions begun since the oldest open one, which keeps vacuum from removing rows that died since."""
FREEZE_AGE: Final = 1_000_000_000
"""The limit of the age in transactions of the oldest row version. PostgreSQL stops at 2,147,483,648, and autovacuum
freezes at 200,000,000, so half of the way means that it cannot keep up.
"""
PAGE_BYTES: Final = 8192
MOST: Final = 20

_TABLES = """
SELECT s.schemaname, s.relname, s.n_live_tup, s.n_dead_tup, s.n_mod_since_analyze,
       greatest(s.last_vacuum, s.last_autovacuum), greatest(s.last_analyze, s.last_autoanalyze)
FROM pg_stat_user_tables AS s
WHERE (s.n_dead_tup >= %(rows)s AND s.n_dead_tup > %(dead)s * (s.n_live_tup + s.n_dead_tup))
   OR (s.n_mod_since_analyze >= %(rows)s AND s.n_mod_since_analyze > %(changed)s * greatest(s.n_live_tup, 1))
ORDER BY s.n_dead_tup DESC, s.schemaname, s.relname LIMIT %(most)s
"""
_LARGEST = """
SELECT c.relname, count(*), sum(c.relpages::int8 + coalesce(i.pages, 0)) * %(page)s,
       sum(pg_stat_get_live_tuples(c.oid)), sum(pg_stat_get_dead_tuples(c.oid))
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT sum(x.relpages::int8) AS pages FROM pg_index AS p JOIN pg_class AS x ON x.oid = p.indexrelid
    WHERE p.indrelid = c.oid
) AS i ON true
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
GROUP BY c.relname ORDER BY 3 DESC, 1 LIMIT %(most)s
"""
_WHOLE = """
SELECT pg_database_size(current_database()), age(datfrozenxid),
       pg_current_xact_id()::text::numeric - pg_snapshot_xmin(pg_current_snapshot())::text::numeric
FROM pg_database WHERE datname = current_database()
"""


@dataclass(frozen=True, slots=True)
class TableState:
    """A table that is over a limit; times are ISO 8601, None means never."""

    schema: str
    table: str
    live: int
    dead: int
    changed: int
    vacuumed: str | None
    analysed: str | None
    advice: str


@dataclass(frozen=True, slots=True)
class Kind:
    """The tables of one name in all schemas: the number of schemas, the bytes with indexes, and the rows."""

    table: str
    schemas: int
    size: int
    live: int
    dead: int


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """One data database.

    Attributes:
        size: bytes.
        freeze_age: transactions since the oldest row version that is not frozen.
        open_age: transactions begun since the oldest open one.
        tables: tables over a limit, the worst first, ``MOST`` at most.
        largest: the largest tables over all schemas.
        advice: what to do about the database as a whole.
    """

    database: str
    size: int
    freeze_age: int
    open_age: int
    tables: list[TableState]
    largest: list[Kind]
    advice: list[str]

    @property
    def healthy(self) -> bool:
        """Return whether nothing is over its limit."""
        return not self.tables and not self.advice


def watch(names: Iterable[str] | None = None) -> list[DatabaseState]:
    """The state of the data databases; of all, or of those named.

    Raises:
        LookupError: no data database has this name.
        Unavailable: a database cannot be reached.
    """
    return [_watch(name) for name in (databases() if names is None else names)]


def _watch(name: str) -> DatabaseState:
    limits: dict[str, Any] = {
        "rows": DEAD_ROWS, "dead": DEAD_SHARE, "changed": CHANGED_SHARE, "most": MOST, "page": PAGE_BYTES,
    }  # fmt: skip
    with owner_connection(name) as connection:
        size, age, blocked = connection.execute(_WHOLE).fetchall()[0]
        tables = [_table(row) for row in connection.execute(_TABLES, limits).fetchall()]
        kinds = connection.execute(_LARGEST, limits).fetchall()
    largest = [Kind(row[0], row[1], int(row[2]), int(row[3] or 0), int(row[4] or 0)) for row in kinds]
    return DatabaseState(name, size, age, int(blocked), tables, largest, list(_advice(age, int(blocked))))


def _table(row: tuple[Any, ...]) -> TableState:
    schema, table, live, dead, changed, vacuumed, analysed = row
    over = dead >= DEAD_ROWS and dead > DEAD_SHARE * (live + dead)
    advice = f'VACUUM (ANALYZE) "{schema}"."{table}"' if over else f'ANALYZE "{schema}"."{table}"'
    return TableState(schema, table, live, dead, changed, _iso(vacuumed), _iso(analysed), advice)


def _iso(moment: Any) -> str | None:  # noqa: ANN401 - a time or None
    return None if moment is None else moment.isoformat(timespec="seconds")


def _advice(age: int, blocked: int) -> Iterable[str]:
    if age > FREEZE_AGE:
        yield f"rows are {age:,} transactions old: run VACUUM (FREEZE) on the database before 2,000,000,000"
    if blocked > HELD_TRANSACTIONS:
        yield f"a transaction has been open since {blocked:,} others began: find it in pg_stat_activity and end it"
