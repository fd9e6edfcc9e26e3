"""The command ``iit settings``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table, tenant

if TYPE_CHECKING:
    from core.preferences import Group, GroupState

_COLUMNS = ("setting", "value", "default", "set")


@click.group()
def settings() -> None:
    """See and change the settings of a tenant. docs/reference/tenant-settings.md describes each."""


@settings.command("list")
@click.argument("slug")
@json_option
def list_(slug: str, *, as_json: bool) -> None:
    """List every setting of the tenant SLUG, its default, and whether the tenant changed it."""
    from core.database import tenant_session
    from core.preferences import read_all
    from core.preferences.schemas import group_out

    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        states = read_all(session)
    if as_json:
        print_json({"groups": [group_out(state) for state in states]})
        return
    print_table([row for state in states for row in _rows(state)], _COLUMNS)
    _note_problems(states)


@settings.command("show")
@click.argument("slug")
@click.argument("group")
@json_option
def show(slug: str, group: str, *, as_json: bool) -> None:
    """Show the settings GROUP of the tenant SLUG: their purposes, and the last person who changed the group."""
    from core.database import tenant_session
    from core.preferences import group as group_named
    from core.preferences import read
    from core.preferences.schemas import group_detail

    wanted = group_named(group)
    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        state = read(session, wanted)
    if as_json:
        click.echo(group_detail(state).model_dump_json(indent=2, by_alias=True))
        return
    click.echo(wanted.title)
    click.echo(
        f"Changed {state.changed_at:%Y-%m-%d %H:%M} UTC by {state.changed_by}."
        if state.changed_at
        else "Never changed: the defaults apply."
    )
    click.echo("")
    texts = {name: field.description or "" for name, _, field in wanted.leaves()}
    described = [{**row, "meaning": texts[name]} for name, row in zip(texts, _rows(state), strict=True)]
    print_table(described, (*_COLUMNS, "meaning"))
    _note_problems([state])


@settings.command("set")
@click.argument("slug")
@click.argument("name", metavar="GROUP.KEY")
@click.argument("value")
@json_option
def set_(slug: str, name: str, value: str, *, as_json: bool) -> None:
    """Set one setting of the tenant SLUG: iit settings set my-programme risk.capacity_share 0.2.

    VALUE is read as JSON where it is JSON, and as text otherwise.
    """
    from core.database import tenant_session
    from core.preferences import amend
    from core.preferences.service import at

    group, key = _named(name)
    if not key:
        message = f"{name!r} names a group, not a setting"
        raise click.BadParameter(message, param_hint="GROUP.KEY")
    document = at(group, key, _value(value))
    with tenant_session(tenant(slug), actor=ACTOR) as session:
        _answer(amend(session, group, document), key, as_json=as_json)


@settings.command("reset")
@click.argument("slug")
@click.argument("name", metavar="GROUP[.KEY]")
@json_option
def reset(slug: str, name: str, *, as_json: bool) -> None:
    """Reset one setting, or a whole group, of the tenant SLUG to the default."""
    from core.database import tenant_session
    from core.preferences import reset as reset_settings

    group, key = _named(name)
    with tenant_session(tenant(slug), actor=ACTOR) as session:
        _answer(reset_settings(session, group, [key] if key else []), key, as_json=as_json)


def _named(name: str) -> tuple[Group, str]:
    from core.preferences import group

    head, _, key = name.partition(".")
    return group(head), key


def _value(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        return json.loads(text)
    except ValueError:
        return text


def _answer(state: GroupState, key: str, *, as_json: bool) -> None:
    from core.preferences.schemas import group_out

    if as_json:
        print_json(group_out(state))
        return
    rows = [row for row in _rows(state) if not key or f"{row['setting']}.".startswith(f"{state.group.name}.{key}.")]
    print_table(rows, _COLUMNS)


def _rows(state: GroupState) -> list[dict[str, object]]:
    from core.preferences.service import at_name

    value, default = state.value.model_dump(mode="json"), state.group.model().model_dump(mode="json")
    return [
        {
            "setting": f"{state.group.name}.{name}",
            "value": _shown(at_name(value, name)),
            "default": _shown(at_name(default, name)),
            "set": "yes" if name in state.set_names else "",
        }
        for name, *_ in state.group.leaves()
    ]


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _note_problems(states: list[GroupState]) -> None:
    for state in states:
        if state.problem:
            note(f"{state.problem}; the defaults apply until `iit settings reset SLUG {state.group.name}`")
