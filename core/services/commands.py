"""The command ``iit services``: start, stop, show and reset the embedded servers."""

from __future__ import annotations

from dataclasses import asdict

import click

from core.cli.output import json_option, note, print_json, print_table
from core.services import manager
from core.services.status import ServiceStatus, check, status


@click.group("services")
def services() -> None:
    """Manage the embedded database and Valkey, which run unless addresses are set."""


@services.command("start")
@json_option
def start(*, as_json: bool) -> None:
    """Start the servers that do not run, and show their addresses. Check external servers."""
    manager.ensure(note_line)
    check()
    _show(status(), as_json=as_json)


@services.command("stop")
@json_option
def stop(*, as_json: bool) -> None:
    """Stop the embedded servers. Nothing stored is lost."""
    stopped = manager.stop(note_line)
    if as_json:
        print_json({"stopped": stopped})
    else:
        click.echo(f"stopped: {', '.join(stopped)}" if stopped else "nothing was running")


@services.command("status")
@json_option
def show_status(*, as_json: bool) -> None:
    """Show the servers' state. Exits with 1 if a server does not run."""
    servers = status()
    _show(servers, as_json=as_json)
    if any(service.problem for service in servers):
        raise click.exceptions.Exit(1)


@services.command("reset")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def reset(*, yes: bool, as_json: bool) -> None:
    """Delete ALL data of the embedded servers, of every tenant. This cannot be undone."""
    if not yes:
        click.confirm("Delete all data of every tenant on the embedded database?", abort=True, err=True)
    manager.reset(note_line)
    if as_json:
        print_json({"reset": True})
    else:
        click.echo("all data of the embedded servers is deleted")


@services.group("database")
def database() -> None:
    """Manage the databases that hold tenants' data."""


@database.command("add")
@click.argument("name")
@json_option
def add_database(name: str, *, as_json: bool) -> None:
    """Create another data database on the embedded server, and migrate it."""
    from core.database.upgrade import migrate

    created = manager.add_database(name, note_line)
    migrate()
    if as_json:
        print_json({"database": name, "made": created})
    else:
        click.echo(f"the data database {name} is ready" if created else f"the data database {name} exists already")


@database.command("list")
@json_option
def list_databases(*, as_json: bool) -> None:
    """List the data databases of this installation."""
    from core.database import databases

    names = list(databases())
    if as_json:
        print_json({"databases": names})
    else:
        click.echo("\n".join(names))


@services.command("backup")
@click.option("--keep", type=click.IntRange(1), default=7, show_default=True, help="How many base backups to keep.")
@json_option
def base_backup(keep: int, *, as_json: bool) -> None:
    """Copy the whole embedded database while it works, and archive its WAL from now on."""
    from core.services import backups

    backup, removed = backups.base_backup(keep=keep, say=note_line)
    if as_json:
        print_json({"backup": backup, "removed": removed})
        return
    click.echo(f"base backup {backup.name}: {backup.bytes:,} bytes; it can restore any moment since {backup.ended}")
    for name in removed:
        click.echo(f"removed {name}")


@services.command("backups")
@json_option
def list_backups(*, as_json: bool) -> None:
    """List the base backups. A tenant can be restored to any moment since the first one ended."""
    from core.services import backups

    backups_made = backups.base_backups()
    if as_json:
        print_json({"backups": backups_made})
    else:
        print_table([asdict(backup) for backup in backups_made], ["name", "began", "ended", "bytes"])


@services.command("blobs")
@click.option(
    "--adopt", is_flag=True, help="Make this process's store the installation's, after you have moved all files."
)
@json_option
def blobs(*, adopt: bool, as_json: bool) -> None:
    """Show whether this process uses the installation's store of files."""
    from core.blobs import require_shared_store
    from core.blobs.store import write_mark
    from core.installation import adopt_blob_store

    if adopt:
        adopt_blob_store(write_mark)
    require_shared_store(fresh=True)
    if as_json:
        print_json({"shared": True, "adopted": adopt})
    else:
        click.echo("this process keeps files where the installation does")


def note_line(text: str) -> None:
    """Print the servers' progress on standard error."""
    note(f"services: {text}")


def _show(servers: list[ServiceStatus], *, as_json: bool) -> None:
    if as_json:
        print_json({"services": servers})
        return
    rows = [
        {
            "service": service.name,
            "state": "running" if service.running else "stopped",
            "mode": service.mode,
            "address": service.address,
            "version": service.version,
            "data": service.data,
            "problem": service.problem,
        }
        for service in servers
    ]
    print_table(rows, ["service", "state", "mode", "address", "version", "data", "problem"])
