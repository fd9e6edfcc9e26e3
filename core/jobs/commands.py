"""``iit worker`` and ``iit jobs``."""

from __future__ import annotations

from typing import Any, TextIO
from uuid import UUID

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table
from core.jobs import pause_commands

STATES = ("queued", "sent", "running", "done", "dead", "discarded", "cancelled")


@click.command()
@click.option("--threads", type=click.IntRange(1, 64), help="Jobs at a time; IIT_JOBS_THREADS when not given.")
def worker(threads: int | None) -> None:
    """Run jobs until stopped: the relay and a worker's threads. SIGTERM lets running steps end first."""
    from core import telemetry
    from core.jobs.worker import serve

    telemetry.configure_from_settings()
    note("worker: running jobs; stop with Ctrl-C")
    serve(threads)


@click.group()
def jobs() -> None:
    """List jobs; cancel them; retry or discard failed ones (dead letters); pause and limit jobs."""


for _command in (pause_commands.pause, pause_commands.resume, pause_commands.list_pauses, pause_commands.limits):
    jobs.add_command(_command)


@jobs.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only jobs in this state.")
@click.option("--tenant", "slug", help="Only jobs of this tenant.")
@click.option("--platform", is_flag=True, help="Only jobs of the platform itself, which have no tenant.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many jobs to list.")
@json_option
def list_(state: str | None, slug: str | None, limit: int, *, platform: bool, as_json: bool) -> None:
    """List jobs, newest first."""
    from core.jobs import operations
    from core.tenancy import describe_tenant, list_tenants

    if slug and platform:
        message = "choose one: --tenant or --platform"
        raise click.UsageError(message)
    chosen = describe_tenant(slug).ref() if slug else None
    names = {tenant.id: tenant.slug for tenant in list_tenants()}
    rows = [_named(row, names) for row in operations.find(state=state, tenant=chosen, platform=platform, limit=limit)]
    if as_json:
        print_json({"jobs": rows})
    else:
        print_table(rows, ("id", "tenant", "kind", "state", "attempts", "created_at", "error"))


@jobs.command()
@click.argument("job_id", type=click.UUID)
@json_option
def show(job_id: UUID, *, as_json: bool) -> None:
    """Show every fact about one job."""
    from core.jobs import operations

    job = operations.show(job_id)
    if as_json:
        print_json(job)
        return
    letters = job.pop("dead_letters")
    print_table(
        [{"what": name, "value": str(value)} for name, value in job.items() if value is not None], ("what", "value")
    )
    for letter in letters:
        why = f" ({letter['resolution_reason']})" if letter["resolution_reason"] else ""
        click.echo(
            f"dead since {letter['died_at']:%Y-%m-%d %H:%M}: {letter['reason']}; {letter['resolution'] or 'open'}{why}"
        )
        for traced in (letter["failures"] or {}).get("trace") or ():
            click.echo(f"  {traced['error']}")
            for frame in traced["frames"]:
                click.echo(f"    {frame['file']}:{frame['line']} in {frame['function']}")


@jobs.command()
@click.option("--tenant", "slug", help="Only dead letters of this tenant.")
@click.option("--kind", help="Only jobs of this kind.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many to list.")
@json_option
def dead(slug: str | None, kind: str | None, limit: int, *, as_json: bool) -> None:
    """List dead letters, newest first: their first and last failure."""
    from core.jobs import operations
    from core.tenancy import describe_tenant, list_tenants

    chosen = describe_tenant(slug).ref() if slug else None
    names = {tenant.id: tenant.slug for tenant in list_tenants()}
    rows = [_named(row, names) for row in operations.find(state="dead", tenant=chosen, kind=kind, limit=limit)]
    if as_json:
        print_json({"dead_letters": rows})
    else:
        print_table(rows, ("id", "tenant", "kind", "attempts", "first_failed_at", "last_failed_at", "error"))


@jobs.command()
@click.argument("job_id", type=click.UUID, required=False)
@click.option("--all", "every", is_flag=True, help="Every dead job of --kind, of --tenant, or of both.")
@click.option("--kind", help="With --all: only jobs of this kind.")
@click.option("--tenant", "slug", help="With --all: only jobs of this tenant.")
@click.option(
    "--rate", type=click.IntRange(1, 6000), default=60, show_default=True, help="With --all: how many a minute."
)
@json_option
def retry(job_id: UUID | None, kind: str | None, slug: str | None, rate: int, *, every: bool, as_json: bool) -> None:
    """Queue a dead job again, or all of a kind or tenant at a rate.

    iit jobs retry --all --kind imports.run --rate 30
    """
    from core.jobs import decisions
    from core.tenancy import describe_tenant

    if (job_id is None) == (not every):
        message = "give the id of a job, or --all with --kind or --tenant"
        raise click.UsageError(message)
    if job_id is not None:
        decisions.retry(job_id, actor=ACTOR)
        _printed({"retried": [job_id]}, "retried 1 job", as_json=as_json)
        return
    if kind is None and slug is None:
        message = "--all needs --kind or --tenant"
        raise click.UsageError(message)
    tenant = describe_tenant(slug).ref() if slug else None
    done = decisions.retry_all(kind=kind, tenant=tenant, per_minute=rate, actor=ACTOR)
    rest = "; more are dead: repeat the command" if done.more else ""
    text = f"retried {done.retried}, skipped {done.skipped}; the last is due in {done.seconds:.0f} s{rest}"
    _printed(done, text, as_json=as_json)


@jobs.command()
@click.argument("job_id", type=click.UUID)
@click.option("--payload", type=click.File("r"), required=True, help="A file with the new payload; - for the input.")
@json_option
def edit(job_id: UUID, payload: TextIO, *, as_json: bool) -> None:
    """Replace the payload of a dead job, and queue it again.

    Begin with the payload that `iit jobs show ID --json` prints. Leave hidden values as they are: they stay.
    """
    from core.jobs import decisions

    decisions.retry(job_id, payload=decisions.parsed(payload.read()), actor=ACTOR)
    _printed({"retried": [job_id]}, "edited and retried 1 job", as_json=as_json)


@jobs.command()
@click.argument("job_id", type=click.UUID)
@click.option("--reason", required=True, help="Why; other operators read it. Name no person.")
@json_option
def discard(job_id: UUID, reason: str, *, as_json: bool) -> None:
    """Give a dead job up for good."""
    from core.jobs import decisions

    decisions.discard(job_id, reason, actor=ACTOR)
    _printed({"discarded": [job_id]}, "discarded 1 job", as_json=as_json)


@jobs.command()
@click.argument("job_id", type=click.UUID)
@json_option
def cancel(job_id: UUID, *, as_json: bool) -> None:
    """Cancel a job that waits or runs. A running one ends before its next step."""
    from core.jobs import cancelling

    outcome = cancelling.cancel_any(job_id, actor=ACTOR)
    text = "cancelled" if outcome == "cancelled" else "the job runs: it ends before its next step"
    _printed({"job_id": job_id, "outcome": outcome}, text, as_json=as_json)


def _printed(result: object, text: str, *, as_json: bool) -> None:
    if as_json:
        print_json(result)
    else:
        click.echo(text)


def _named(row: dict[str, Any], names: dict[UUID, str]) -> dict[str, Any]:
    """Replace the tenant's id in a row by its slug; None for a job of the platform."""
    return {
        **{name: value for name, value in row.items() if name != "tenant_id"},
        "tenant": None if row["tenant_id"] is None else names.get(row["tenant_id"], "?"),
    }
