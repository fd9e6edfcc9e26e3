"""``iit jobs pause``, ``resume``, ``pauses`` and ``limits``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.jobs.limits import Limit
    from core.jobs.pauses import Pause
    from core.jobs.scopes import JobScope

_EACH = ("tenant", "kind", "reason", "set_by", "set_at")


def _scoped(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name jobs."""
    command = click.option("--platform", is_flag=True, help="The jobs of the platform itself, which have no tenant.")(
        command
    )
    command = click.option("--kind", help="Jobs of this kind.")(command)
    return click.option("--tenant", "slug", help="Jobs of this tenant.")(command)


@click.command()
@_scoped
@click.option("--reason", required=True, help="Why; other operators read it.")
@json_option
def pause(slug: str | None, kind: str | None, reason: str, *, platform: bool, as_json: bool) -> None:
    """Let no more jobs start: of a tenant, of a kind, or both. Running jobs go on.

    iit jobs pause --kind imports.run --reason "the store of files moves"
    """
    from core.jobs import pauses

    paused = pauses.pause(_scope(slug, kind, platform=platform), reason, actor=ACTOR)
    if as_json:
        print_json(_row(paused))
    else:
        note(f"paused {paused.target}: no more of these jobs start; iit jobs resume ends it")


@click.command()
@_scoped
@json_option
def resume(slug: str | None, kind: str | None, *, platform: bool, as_json: bool) -> None:
    """End a pause. Name the tenant and the kind as iit jobs pauses shows them."""
    from core.jobs import pauses

    scope = _scope(slug, kind, platform=platform)
    pauses.resume(scope, actor=ACTOR)
    if as_json:
        print_json({"resumed": scope.target})
    else:
        note(f"resumed {scope.target}")


@click.command("pauses")
@json_option
def list_pauses(*, as_json: bool) -> None:
    """List the jobs that are paused, with who paused them and why."""
    from core.jobs import pauses

    rows = [_row(each) for each in pauses.list_pauses()]
    if as_json:
        print_json({"pauses": rows})
    else:
        print_table(rows, _EACH)


@click.command()
@_scoped
@click.option("--at-once", type=click.IntRange(1), help="How many of these jobs run at the same time, for each tenant.")
@click.option("--remove", is_flag=True, help="Remove the limit of these jobs.")
@click.option("--reason", default="", help="Why; other operators read it.")
@json_option
def limits(
    slug: str | None,
    kind: str | None,
    at_once: int | None,
    reason: str,
    *,
    platform: bool,
    remove: bool,
    as_json: bool,
) -> None:
    """List limits; set one with --at-once, remove one with --remove.

    iit jobs limits --tenant unity --kind reports.make --at-once 1 --reason "leaves room for imports"
    """
    from core.jobs import limits as service

    if remove and at_once is not None:
        message = "choose one: --at-once or --remove"
        raise click.UsageError(message)
    if at_once is not None:
        service.set_limit(_scope(slug, kind, platform=platform), at_once, reason, actor=ACTOR)
    elif remove:
        service.remove_limit(_scope(slug, kind, platform=platform), actor=ACTOR)
    elif slug or kind or platform:
        message = "say what to do with the limit of these jobs: --at-once or --remove"
        raise click.UsageError(message)
    rows = [{**_row(each), "at_once": each.at_once} for each in service.list_limits()]
    if as_json:
        print_json({"limits": rows})
    else:
        print_table(rows, ("at_once", *_EACH))


def _scope(slug: str | None, kind: str | None, *, platform: bool) -> JobScope:
    from core.jobs.scopes import JobScope
    from core.tenancy import describe_tenant

    if slug and platform:
        message = "choose one: --tenant or --platform"
        raise click.UsageError(message)
    return JobScope(describe_tenant(slug).ref() if slug else None, kind, platform)


def _row(rule: Pause | Limit) -> dict[str, Any]:
    owner = "(platform)" if rule.platform else rule.tenant or "(all)"
    return {
        "tenant": owner,
        "kind": rule.kind or "(all)",
        "reason": rule.reason,
        "set_by": rule.set_by,
        "set_at": rule.set_at,
    }
