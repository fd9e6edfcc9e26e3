"""``iit retention``: for how long what is not the record is kept."""

from __future__ import annotations

import click

from core.cli.output import ACTOR, Progress, json_option, print_json, print_table, tenant


@click.group()
def retention() -> None:
    """For how long a tenant keeps what is not its record: refused rows, old scores, old reports."""


@retention.command("show")
@click.argument("slug")
@json_option
def show(slug: str, *, as_json: bool) -> None:
    """Days by kind, as they hold for the tenant SLUG."""
    from core.database import tenant_session
    from core.retention.service import days_of, kinds

    with tenant_session(tenant(slug), actor=ACTOR, readonly=True) as session:
        days = days_of(session)
    if as_json:
        print_json({"days": days})
    else:
        print_table(
            [{"kind": name, "days": days[name], "what": kept.what} for name, kept in kinds().items()],
            ("kind", "days", "what"),
        )


@retention.command("set")
@click.argument("slug")
@click.argument("given", metavar="KIND=DAYS...", nargs=-1, required=True)
def set_(slug: str, given: tuple[str, ...]) -> None:
    """Change days of some kinds of the tenant SLUG: iit retention set my-programme predictions=730."""
    from core.database import tenant_session
    from core.retention.service import put

    days: dict[str, int] = {}
    for one in given:
        name, _, value = one.partition("=")
        if not value.isdecimal():
            message = f"{one!r} is not KIND=DAYS"
            raise click.BadParameter(message, param_hint="KIND=DAYS")
        days[name] = int(value)
    with tenant_session(tenant(slug), actor=ACTOR) as session:
        put(session, days)


@retention.command("run")
@click.argument("slug")
@json_option
def run_(slug: str, *, as_json: bool) -> None:
    """Let go of what is older than its days, for the tenant SLUG. The worker does this once a day."""
    from core.retention.service import run

    owner = tenant(slug)
    with Progress("Letting go") as progress:
        done = run(owner, actor=ACTOR, told=lambda _kind, count: progress.advance(count))
    if as_json:
        print_json({"rows": done.rows, "blob_days": done.blobs})
    else:
        print_table([{"kind": name, "rows": count} for name, count in done.rows.items()], ("kind", "rows"))
