"""The commands ``iit migrate`` and ``iit migrate status``."""

from __future__ import annotations

import dataclasses

import click

from core.cli.output import Progress, done_in_part, json_option, note, print_json, print_table


@click.group(invoke_without_command=True)
@click.option(
    "--canary",
    "canaries",
    multiple=True,
    metavar="SLUG",
    help="Migrate this tenant first, and no other if it fails. Repeatable.",
)
@click.option(
    "--connections", type=click.IntRange(1, 64), help="How many tenants of one data database to upgrade at a time."
)
@json_option
@click.pass_context
def migrate(context: click.Context, canaries: tuple[str, ...], connections: int | None, *, as_json: bool) -> None:
    """Migrate the schemas platform and node, and those of all tenants, to their newest migration.

    The next run resumes a killed one. A tenant that fails stays at its old version; the others are migrated.
    """
    if context.invoked_subcommand is not None:
        return
    from core.database import upgrade

    options = upgrade.default_options()
    if connections is not None:
        options = dataclasses.replace(options, connections=connections)
    with Progress("Migrating") as progress:
        done = upgrade.migrate(
            progress=lambda _schema: progress.advance(), canaries=list(canaries) or None, options=options
        )
    if as_json:
        print_json(
            {"upgraded": done.upgraded, "skipped": done.skipped, "failed": done.failed, "postponed": done.postponed}
        )
    else:
        postponed = f", not begun {done.postponed}" if done.postponed else ""
        click.echo(
            f"upgraded {len(done.upgraded)}, at head already {done.skipped}, failed {len(done.failed)}{postponed}"
        )
    for schema, why in done.failed.items():
        note(f"{schema}: {why}")
    if done.postponed:
        note("a canary failed, so no other tenant was migrated: correct the cause and run iit migrate again")
        raise click.exceptions.Exit(1)
    if done.failed:
        done_in_part(
            "the schemas named above stay at their old version (iit migrate status shows them):"
            " correct the cause and run iit migrate again"
        )


@migrate.command("status")
@json_option
def status_(*, as_json: bool) -> None:
    """Show how many tenants of each data database are at head, behind or failed, and at which revisions."""
    from core.tenancy.fleet import status

    fleet = status()
    if as_json:
        print_json({"at_head": fleet.at_head, "heads": fleet.heads, "databases": fleet.databases})
        return
    rows = [
        {
            "database": one.database,
            **one.shared,
            "tenants": one.tenants,
            "at_head": one.at_head,
            "behind": one.behind,
            "ahead": one.ahead,
            "failed": len(one.failed),
            "revisions": " ".join(f"{revision}:{count}" for revision, count in one.revisions.items()),
        }
        for one in fleet.databases
    ]
    columns = ("database", "platform", "node", "tenants", "at_head", "behind", "ahead", "failed", "revisions")
    print_table(rows, columns)
    failed = [
        {"tenant": each.tenant, "stands_at": each.revision, "tries": each.attempts, "error": each.error}
        for one in fleet.databases
        for each in one.failed
    ]
    if failed:
        click.echo()
        print_table(failed, ("tenant", "stands_at", "tries", "error"))
