"""``iit errors``: unexpected errors of all processes, grouped by type and place."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from core.error_groups.service import ErrorGroupView, State

_id = click.argument("error_id", type=click.UUID)


@click.group()
def errors() -> None:
    """List unexpected errors; resolve them, ignore them, open them again."""


@errors.command("list")
@click.option("--state", type=click.Choice(("open", "resolved", "ignored", "all")), default="open", show_default=True)
@json_option
def list_(state: State | str, *, as_json: bool) -> None:
    """List errors, last seen first, at most 200."""
    from core.error_groups.service import list_groups

    groups = list_groups(None if state == "all" else state)  # type: ignore[arg-type]  # click's choices are the states
    if as_json:
        print_json({"errors": groups})
        return
    print_table([_row(group) for group in groups], ("id", "error", "place", "count", "last seen", "state"))


@errors.command()
@_id
@json_option
def show(error_id: UUID, *, as_json: bool) -> None:
    """Show one error with its traceback."""
    from core.error_groups.service import get_group

    group = get_group(error_id)
    if as_json:
        print_json(group)
        return
    print_table([_row(group)], ("id", "error", "place", "count", "last seen", "state"))
    for frame in group.frames:
        click.echo(f"  {frame}")


@errors.command()
@_id
@json_option
def resolve(error_id: UUID, *, as_json: bool) -> None:
    """Resolve an error. If it is seen again, it is open again."""
    _set(error_id, "resolved", as_json=as_json)


@errors.command()
@_id
@json_option
def ignore(error_id: UUID, *, as_json: bool) -> None:
    """Ignore an error for good. It is still counted."""
    _set(error_id, "ignored", as_json=as_json)


@errors.command("open")
@_id
@json_option
def open_(error_id: UUID, *, as_json: bool) -> None:
    """Open a resolved or ignored error again."""
    _set(error_id, "open", as_json=as_json)


def _set(error_id: UUID, state: State, *, as_json: bool) -> None:
    from core.error_groups.service import set_state

    group = set_state(error_id, state, actor=ACTOR)
    if as_json:
        print_json(group)
        return
    note(f"{group.kind} at {group.place}: {group.state}")


def _row(group: ErrorGroupView) -> dict[str, object]:
    return {
        "id": group.id,
        "error": group.kind,
        "place": group.place,
        "count": group.count,
        "last seen": group.last_seen,
        "state": group.state,
    }
