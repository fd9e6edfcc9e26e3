"""``iit flag``: feature flags."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table
from core.cli.output import tenant as tenant_of

if TYPE_CHECKING:
    from core.flags.service import FlagState

_name = click.argument("flag")
_reason = click.option("--reason", required=True, help="Why; the history and the audit have it.")


@click.group("flag")
def flag_commands() -> None:
    """See feature flags, and set them."""


@flag_commands.command("list")
@click.option("--stale", is_flag=True, help="Only flags that the code should no longer have, and unknown ones.")
@json_option
def list_(*, stale: bool, as_json: bool) -> None:
    """List every flag that the code asks for. With --stale, exit with 1 if there is any."""
    from core.flags import service

    states = [state for state in service.list_flags() if state.stale or not stale]
    unknown = service.undeclared() if stale else []
    rows = [_row(state) for state in states]
    if as_json:
        print_json({"flags": rows, "undeclared": unknown})
    else:
        print_table(rows, ("flag", "state", "default", "kind", "owner", "expires_on", "stale"))
        for name in unknown:
            note(f"{name} is set, and no feature declares it")
    if stale and (rows or unknown):
        raise click.exceptions.Exit(1)


@flag_commands.command()
@_name
@json_option
def show(flag: str, *, as_json: bool) -> None:
    """Show how FLAG is set."""
    from core.flags import service
    from core.flags.schemas import FlagOut

    state = service.get_flag(flag)
    if as_json:
        print_json(FlagOut.of(state).model_dump(mode="json"))
        return
    print_table([_row(state)], ("flag", "state", "default", "kind", "owner", "expires_on", "stale"))
    note(state.flag.about)
    if state.definition is not None:
        click.echo(state.definition.model_dump_json(indent=2, exclude_defaults=True))


@flag_commands.command()
@_name
@json_option
def history(flag: str, *, as_json: bool) -> None:
    """Show who changed FLAG, when and why, newest first."""
    from core.flags import service
    from core.flags.schemas import FlagChangeOut

    changes = service.flag_history(flag)
    if as_json:
        print_json({"changes": [FlagChangeOut.of(change).model_dump(mode="json") for change in changes]})
        return
    rows = [
        {
            "number": change.number,
            "when": change.changed_at.isoformat(timespec="seconds"),
            "who": change.actor,
            "on": "default" if change.definition is None else change.definition.enabled,
            "reason": change.reason,
        }
        for change in changes
    ]
    print_table(rows, ("number", "when", "who", "on", "reason"))


@flag_commands.command()
@_name
@click.option("--off", is_flag=True, help="Switch it off for everybody.")
@click.option("--percent", type=click.IntRange(0, 100), default=100, show_default=True, help="Share of its takers.")
@click.option(
    "--by",
    type=click.Choice(("partner", "person", "random")),
    default="partner",
    show_default=True,
    help="What stays with its side of the share.",
)
@click.option("--tenant", "tenants", multiple=True, help="On for these partners alone.")
@click.option("--not-tenant", "not_tenants", multiple=True, help="Off for these partners.")
@click.option("--person", "people", multiple=True, help="On for this person or key, whatever the share.")
@click.option("--environment", "environments", multiple=True, help="On in these environments alone.")
@click.option("--variant", "variants", multiple=True, help="NAME=PERCENT; together 100.")
@click.option(
    "--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Unleash's definition as JSON."
)
@_reason
@json_option
def set(  # noqa: A001, PLR0913 - the command's name and options
    flag: str,
    *,
    off: bool,
    percent: int,
    by: str,
    tenants: tuple[str, ...],
    not_tenants: tuple[str, ...],
    people: tuple[str, ...],
    environments: tuple[str, ...],
    variants: tuple[str, ...],
    file: Path | None,
    reason: str,
    as_json: bool,
) -> None:
    """Set FLAG.

    iit flag set knowledge.language_model --percent 25 --not-tenant partner-north --reason "A quarter first"
    """
    from pydantic import ValidationError

    from core.flags import service
    from core.flags.definition import Definition
    from core.flags.editing import Choices, definition_of

    shares = []
    for variant in variants:
        name, _, share = variant.rpartition("=")
        if not name or not share.isdigit():
            message = "write --variant NAME=PERCENT"
            raise click.UsageError(message)
        shares.append((name, int(share)))
    if file is not None:
        try:
            definition = Definition.model_validate_json(file.read_bytes())
        except ValidationError as error:
            places = ", ".join(".".join(map(str, each["loc"])) for each in error.errors())
            message = f"the file is no definition of a flag; look at: {places or 'its beginning'}"
            raise click.UsageError(message) from None
    else:
        stickiness = {"partner": "sessionId", "person": "userId", "random": "random"}[by]
        choices = Choices(not off, percent, stickiness, tenants, not_tenants, people, environments, shares)
        definition = definition_of(flag, choices)
    _print(service.set_flag(flag, definition, reason=reason, actor=ACTOR), as_json=as_json)


@flag_commands.command()
@_name
@_reason
@json_option
def reset(flag: str, *, reason: str, as_json: bool) -> None:
    """Give FLAG back to its declared default."""
    from core.flags import service

    _print(service.set_flag(flag, None, reason=reason, actor=ACTOR), as_json=as_json)


@flag_commands.command()
@_name
@click.option("--tenant", "slug", help="For this partner.")
@click.option("--person", help="For this person or key.")
@json_option
def check(flag: str, *, slug: str | None, person: str | None, as_json: bool) -> None:
    """Say whether FLAG is on for somebody."""
    from core.flags.asking import Subject, answer_for

    on, variant = answer_for(flag, Subject(tenant_of(slug) if slug else None, person))
    if as_json:
        print_json({"flag": flag, "on": on, "variant": variant})
        return
    click.echo(("on" if on else "off") + (f", {variant}" if variant else ""))


def _print(state: FlagState, *, as_json: bool) -> None:
    from core.flags.schemas import FlagOut

    if as_json:
        print_json(FlagOut.of(state).model_dump(mode="json"))
        return
    note(f"{state.flag.name}: {_row(state)['state']}")


def _row(state: FlagState) -> dict[str, object]:
    flag = state.flag
    return {
        "flag": flag.name,
        "state": _state(state),
        "default": "on" if flag.default else "off",
        "kind": flag.kind,
        "owner": flag.owner,
        "expires_on": None if flag.expires_on is None else flag.expires_on.isoformat(),
        "stale": state.stale,
    }


def _state(state: FlagState) -> str:
    if state.definition is None:
        return "default"
    if not state.definition.enabled:
        return "off"
    return "on" if not state.definition.strategies else "on for some"
