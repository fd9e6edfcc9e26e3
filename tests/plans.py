"""PostgreSQL's plans of statements, and how many rows they read."""

from __future__ import annotations

from sqlalchemy.dialects import postgresql


def rows_read(plan):
    """Rows that the scans of a plan read, those that a filter removed too."""
    read = 0
    if "Scan" in plan["Node Type"] and plan["Node Type"] != "Subquery Scan":
        read = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    return read + sum(rows_read(child) for child in plan.get("Plans", ()))


def plan_of(session, query, values=None):
    return session.cursor().execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", values).fetchall()[0][0][0]["Plan"]


def rows_read_by(session, statement):
    """Rows that a statement of SQLAlchemy reads."""
    text = str(statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True}))
    return rows_read(plan_of(session, text))
