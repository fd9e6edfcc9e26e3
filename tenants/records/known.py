"""The SQL of the rule that says when a fact without a stamp was known, for new rows and for rebuilt chains.

The rule in sentences is in README.md of this folder, under "Two times".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAYS = {
    "visits": "{row}.date_started",
    "encounters": "({row}.encounter_datetime AT TIME ZONE {zone})::date",
    "observations": "({row}.obs_datetime AT TIME ZONE {zone})::date",
    "dispensations": "{row}.date_dispensed",
    "appointments": "{row}.booked_on",
    "patient_states": "{row}.start_date",
}
WITHOUT_LAG = frozenset({"appointments"})
"""Tables whose facts are known on their day, without the source's lag: a booking is known when it is made."""

# Whether a full list of the same kind covers the fact's day and lacks it, and is older than the first that has it.
_LACKED = sql.SQL("""
EXISTS (
    SELECT FROM record_coverage AS lc JOIN record_runs AS lr ON lr.number = lc.number
    WHERE lc.facility_uuid = {facility} AND lc.table_name = {table_name} AND lc.covers_from <= {day}
      AND lr.source = {source} AND lr.kind = ANY({kinds}) AND NOT lr.undone AND lr.data_date < {first_date}
      AND {assumed} <= lr.data_date
      AND NOT EXISTS (SELECT FROM record_gaps AS lg WHERE lg.patient_uuid = {patient} AND lg.number = lc.number)
)""")

# Whether a status list shows an earlier last pick-up: the person had no later one up to the list's day less the lag.
_NOT_THE_LAST = sql.SQL("""
EXISTS (
    SELECT FROM radet_snapshots AS ls
    WHERE ls.patient_uuid = {patient} AND ls.source = {source} AND ls.last_pickup < {day}
      AND {assumed} <= ls.data_date AND ls.data_date < {first_date}
)""")


def event_day(table: str, row: str, time_zone: str) -> sql.Composable:
    """The SQL of the day of a row's event, in the tenant's time zone."""
    return sql.SQL(_DAYS[table]).format(row=sql.Identifier(row), zone=sql.Literal(time_zone))


def lacked(table: str, parts: Mapping[str, sql.Composable]) -> sql.Composable:
    """Return the condition that an earlier list should have the fact but lacks it: it became known at ``first_date``.

    Args:
        table: name of the table.
        parts: SQL expressions by name: ``facility``, ``source``, ``patient``, ``kinds`` (array), ``day``, ``assumed``
        (the day plus the lag), ``first_date`` (data date of the first list that has the fact).
    """
    known = {**parts, "table_name": sql.Literal(table)}
    either = _LACKED.format(**known)
    if table != "dispensations":
        return either
    return sql.SQL("({} OR {})").format(either, _NOT_THE_LAST.format(**known))
