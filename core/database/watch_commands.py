"""The command ``iit database``: the health of the data databases."""

from __future__ import annotations

from dataclasses import asdict

import click

from core.cli.output import done_in_part, json_option, note, print_json, print_table

MEGABYTE = 2**20


@click.group()
def database() -> None:
    """Examine the data databases."""


@database.command()
@click.option("--database", "name", help="Only this data database. The default is all.")
@json_option
def bloat(name: str | None, *, as_json: bool) -> None:
    """Show dead rows, old statistics, causes that block vacuum, and large tables.

    Exits with 3 if one exceeds a limit.
    """
    from core.database import databases
    from core.database.watch import watch

    if name is not None and name not in databases():
        message = f"there is no data database {name!r}: known are {', '.join(databases())}"
        raise click.BadParameter(message, param_hint="--database")
    states = watch(None if name is None else [name])
    if as_json:
        print_json({"databases": [{**asdict(state), "healthy": state.healthy} for state in states]})
    for state in states:
        if not as_json:
            click.echo(
                f"{state.database}: {state.size / MEGABYTE:,.0f} MB, oldest row {state.freeze_age:,} transactions,"
                f" vacuum held back by {state.open_age:,}"
            )
            largest = [{**asdict(kind), "size_mb": round(kind.size / MEGABYTE)} for kind in state.largest[:10]]
            print_table(largest, ("table", "schemas", "size_mb", "live", "dead"))
        for table in state.tables:
            rows = table.live + table.dead
            note(f"{state.database}: {table.table} has {table.dead:,} dead of {rows:,} rows: {table.advice}")
        for advice in state.advice:
            note(f"{state.database}: {advice}")
    if not all(state.healthy for state in states):
        done_in_part("a limit is exceeded: see docs/how-to/keep-a-database-healthy.md")


@database.command()
@click.option("--database", "name", help="Only this data database. The default is all.")
@json_option
def slow(name: str | None, *, as_json: bool) -> None:
    """Show the statements that took longest in all, and the open transactions."""
    from core.database import databases
    from core.database.activity import open_transactions, slowest_statements

    if name is not None and name not in databases():
        message = f"there is no data database {name!r}: known are {', '.join(databases())}"
        raise click.BadParameter(message, param_hint="--database")
    chosen = databases() if name is None else (name,)
    shown = [(each, slowest_statements(each), open_transactions(each)) for each in chosen]
    if as_json:
        print_json(
            {
                "databases": [
                    {
                        "database": each,
                        "statements": None if statements is None else [asdict(one) for one in statements],
                        "open_transactions": [asdict(one) for one in transactions],
                    }
                    for each, statements, transactions in shown
                ]
            }
        )
        return
    for each, statements, transactions in shown:
        click.echo(f"{each}: open transactions")
        print_table([asdict(one) for one in transactions], ("pid", "application", "state", "seconds", "waits_for"))
        if statements is None:
            note(f"{each}: the server does not measure statements: see docs/how-to/keep-a-database-healthy.md")
            continue
        click.echo(f"{each}: the statements that took longest in all")
        rows = [
            {**asdict(one), "total_s": round(one.total_seconds, 1), "mean_ms": round(one.mean_milliseconds, 1)}
            for one in statements
        ]
        print_table(rows, ("total_s", "calls", "mean_ms", "statement"))


@database.command()
@click.option("--database", "name", help="Only this data database. The default is all.")
@click.option("--sql", "as_sql", is_flag=True, help="Print the SQL that closes the database, for a superuser to run.")
@click.option(
    "--keep", "others", multiple=True, metavar="ROLE", help="With --sql: a further role that keeps the rights."
)
@json_option
def rights(name: str | None, others: tuple[str, ...], *, as_sql: bool, as_json: bool) -> None:
    r"""Show which dangerous rights PUBLIC has. Ends with 3 when it has any.

    \b
    To close them, as a superuser of the server:
      iit database rights --sql | psql --dbname=iit --username=postgres
    """
    from core.database import databases
    from core.database.rights import COMMAND, closing_sql, open_rights

    if name is not None and name not in databases():
        message = f"there is no data database {name!r}: known are {', '.join(databases())}"
        raise click.BadParameter(message, param_hint="--database")
    if as_sql:
        click.echo(closing_sql(name or databases()[0], others), nl=False)
        return
    rights_open = {one: open_rights(one) for one in ([name] if name is not None else databases())}
    if as_json:
        print_json({"databases": [{"database": one, "open": opened} for one, opened in rights_open.items()]})
    for one, opened in rights_open.items():
        if not as_json and not opened:
            click.echo(f"{one}: closed")
        for line in opened:
            note(f"{one}: {line}")
    if any(rights_open.values()):
        done_in_part(COMMAND)
