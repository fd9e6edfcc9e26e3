"""``iit worker`` and ``iit jobs``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table

STATES = ("queued", "sent", "running", "done", "dead", "discarded")


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
    """List jobs; retry or discard failed ones (dead letters)."""


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
        click.echo(
            f"dead since {letter['died_at']:%Y-%m-%d %H:%M}: {letter['reason']}; {letter['resolution'] or 'open'}"
        )


@jobs.command()
@click.argument("job_id", type=click.UUID, required=False)
@click.option("--all", "all_dead", is_flag=True, help="Every dead job.")
@json_option
def retry(job_id: UUID | None, *, all_dead: bool, as_json: bool) -> None:
    """Queue dead jobs again."""
    _resolve(job_id, all_dead=all_dead, as_json=as_json, verb="retried")


@jobs.command()
@click.argument("job_id", type=click.UUID, required=False)
@click.option("--all", "all_dead", is_flag=True, help="Every dead job.")
@json_option
def discard(job_id: UUID | None, *, all_dead: bool, as_json: bool) -> None:
    """Give dead jobs up for good."""
    _resolve(job_id, all_dead=all_dead, as_json=as_json, verb="discarded")


def _resolve(job_id: UUID | None, *, all_dead: bool, as_json: bool, verb: str) -> None:
    from core.jobs import operations

    if (job_id is None) == (not all_dead):
        message = "give the id of a job, or --all"
        raise click.UsageError(message)
    act = operations.retry if verb == "retried" else operations.discard
    chosen = [job_id] if job_id is not None else operations.dead_jobs()
    for one in chosen:
        act(one, actor=ACTOR)
    if as_json:
        print_json({verb: chosen})
    else:
        click.echo(f"{verb} {len(chosen)} job{'' if len(chosen) == 1 else 's'}")


def _named(row: dict[str, Any], names: dict[UUID, str]) -> dict[str, Any]:
    """Replace the tenant's id in a row by its slug; None for a job of the platform."""
    return {
        **{name: value for name, value in row.items() if name != "tenant_id"},
        "tenant": None if row["tenant_id"] is None else names.get(row["tenant_id"], "?"),
    }
