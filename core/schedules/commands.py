"""``iit schedules``: the work that the platform repeats for a tenant."""

from __future__ import annotations

import click

from core.cli.output import ACTOR, json_option, print_json, print_table


@click.group()
def schedules() -> None:
    """See the schedules of a tenant; change their times or pause them."""


@schedules.command("list")
@click.argument("slug")
@json_option
def list_(slug: str, *, as_json: bool) -> None:
    """List the schedules of the tenant SLUG, with their times in its time zone."""
    from core.database import tenant_session
    from core.schedules.service import list_schedules
    from core.tenancy import describe_tenant

    with tenant_session(describe_tenant(slug).ref(), actor=ACTOR, readonly=True) as session:
        states = list_schedules(session)
    if as_json:
        print_json({"schedules": states})
    else:
        rows = [
            {name: getattr(state, name) for name in ("name", "cron", "active", "next_run", "last_run")}
            for state in states
        ]
        print_table(rows, ("name", "cron", "active", "next_run", "last_run"))


@schedules.command("set")
@click.argument("slug")
@click.argument("name")
@click.option("--cron", help="Minute, hour, day of month, month, day of week, in the tenant's time zone.")
@click.option("--on/--off", "active", default=None, help="Whether it runs; its default when not given.")
@json_option
def set_(slug: str, name: str, cron: str | None, *, active: bool | None, as_json: bool) -> None:
    """Change the schedule NAME of the tenant SLUG. What you leave out returns to its default.

    iit schedules set partner risk.night --on --cron "30 3 * * *"
    """
    from core.database import tenant_session
    from core.schedules.service import change_schedule
    from core.tenancy import describe_tenant

    with tenant_session(describe_tenant(slug).ref(), actor=ACTOR) as session:
        state = change_schedule(session, name, cron=cron, active=active)
    if as_json:
        print_json(state)
    else:
        click.echo(
            f"{name}: {state.cron}, next {state.next_run:%Y-%m-%d %H:%M} UTC" if state.next_run else f"{name}: paused"
        )
