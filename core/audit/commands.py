"""The command ``iit audit``."""

from __future__ import annotations

import json

import click

from core.cli.output import ACTOR, json_option, note, print_json, print_table


@click.group()
def audit() -> None:
    """Seal and verify the audit of a tenant."""


@audit.command()
@click.argument("slug")
@json_option
def seal(slug: str, *, as_json: bool) -> None:
    """Seal new events now, and anchor the head. Workers do this every few seconds."""
    from core.audit.sealer import seal as seal_audit
    from core.tenancy import describe_tenant

    done = seal_audit(describe_tenant(slug).ref())
    if as_json:
        print_json({"seals": done.seals, "events": done.events})
    else:
        click.echo(f"sealed {done.events:,} events in {done.seals} seals")


@audit.command()
@click.argument("slug")
@json_option
def verify(slug: str, *, as_json: bool) -> None:
    """Find events that were changed, removed, added later or moved; also for a deleted tenant.

    Ends with 1 when there is a problem.
    """
    from core.audit.verify import verify as verify_audit
    from core.audit.verify import verify_gone
    from core.errors import NotFound
    from core.tenancy import describe_tenant
    from core.tenancy.archive.tombstones import tombstone_of

    try:
        result = verify_audit(describe_tenant(slug).ref())
    except NotFound:
        gone = tombstone_of(slug)
        if gone is None:
            raise
        result = verify_gone(gone.tenant_id)
    if as_json:
        print_json(
            {
                "intact": result.intact,
                "seals": result.seals,
                "events": result.events,
                "pending": result.pending,
                "anchored_through": result.anchored_through,
                "head": result.head.hex() if result.head else None,
                "found": result.problem_count,
                "problems": result.problems,
            }
        )
    else:
        state = "intact" if result.intact else f"NOT intact: {result.problem_count} problems"
        click.echo(f"the audit of {slug} is {state}")
        click.echo(
            f"{result.events:,} events in {result.seals:,} seals, anchored through seal {result.anchored_through};"
            f" {result.pending:,} not sealed yet"
        )
    for problem in result.problems:
        note(problem)
    if not result.intact:
        raise click.exceptions.Exit(1)


@audit.command()
@click.argument("slug", required=False)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many acts to list.")
@json_option
def acts(slug: str | None, limit: int, *, as_json: bool) -> None:
    """List operators' acts on whole tenants, newest first: creation, suspension, deletion and others.

    What happens within a tenant is in its own audit.
    """
    from core.audit.platform import acts as find
    from core.tenancy import describe_tenant

    rows = find(tenant_id=describe_tenant(slug).id if slug else None, limit=limit)
    if as_json:
        print_json({"acts": rows})
    else:
        shown = [{**row, "detail": json.dumps(row["detail"]) if row["detail"] else None} for row in rows]
        print_table(shown, ("occurred_at", "actor", "action", "tenant", "detail"))


@audit.command("accept-rollback")
@click.argument("slug")
@click.option("--reason", required=True, help="Why the audit ends earlier than before; stored permanently.")
@json_option
def accept_rollback(slug: str, reason: str, *, as_json: bool) -> None:
    """Accept that a restore reset a tenant to an earlier point, which verify would report as tampering."""
    from core.audit import anchors
    from core.tenancy import describe_tenant

    left = anchors.accept_rollback(describe_tenant(slug).ref(), actor=ACTOR, reason=reason)
    if as_json:
        print_json({"anchors_void": left})
    else:
        click.echo(f"accepted; {left} anchors are no longer valid")
