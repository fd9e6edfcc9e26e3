"""``iit breaker``: the breakers of all processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from core.connections.service import Connection

_reason = click.option("--reason", required=True, help="Why; other operators read it.")


@click.group()
def breaker() -> None:
    """See the breakers of all connections; hold one open or closed."""


@breaker.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List every connection with its worst state on all processes."""
    from core.connections.service import list_connections

    connections = list_connections()
    if as_json:
        print_json({"connections": connections})
        return
    print_table([_row(connection) for connection in connections], ("connection", "state", "calls", "error", "forced"))


@breaker.command("open")
@click.argument("target")
@_reason
@json_option
def open_(target: str, reason: str, *, as_json: bool) -> None:
    """Stop all calls to TARGET, on every process within seconds.

    iit breaker open mail_server --reason "moves to another host"
    """
    _force(target, "open", reason, as_json=as_json)


@breaker.command()
@click.argument("target")
@_reason
@json_option
def close(target: str, reason: str, *, as_json: bool) -> None:
    """Let all calls to TARGET through, whatever fails.

    iit breaker close sign_in_providers/sign-in.example.org --reason "the provider asked for it"
    """
    _force(target, "closed", reason, as_json=as_json)


@breaker.command()
@click.argument("target")
@json_option
def auto(target: str, *, as_json: bool) -> None:
    """Let the calls to TARGET decide again."""
    from core.connections.service import release

    _shown(release(target, actor=ACTOR), as_json=as_json)


def _force(target: str, state: Literal["open", "closed"], reason: str, *, as_json: bool) -> None:
    from core.connections.service import force

    _shown(force(target, state, reason, actor=ACTOR), as_json=as_json)


def _shown(connection: Connection, *, as_json: bool) -> None:
    if as_json:
        print_json(connection)
        return
    forced = "decided by its calls" if connection.override is None else f"held {connection.override.state}"
    note(f"{connection.target}: {forced}, on every process within seconds")


def _row(connection: Connection) -> dict[str, object]:
    errors = [each.last_error for each in connection.processes if each.last_error]
    return {
        "connection": connection.target,
        "state": connection.state,
        "calls": sum(each.calls for each in connection.processes),
        "error": errors[-1] if errors else "-",
        "forced": "-" if connection.override is None else f"{connection.override.state}: {connection.override.reason}",
    }
