"""The command ``iit keys``."""

from __future__ import annotations

import click

from core.cli.output import ACTOR, Progress, done_in_part, json_option, note, print_json


@click.group()
def keys() -> None:
    """Manage the keys that protect personal data. API keys are `iit key`."""


@keys.command()
@json_option
def rewrap(*, as_json: bool) -> None:
    """Wrap every tenant's keys with the current master key, after IIT_MASTER_KEY was changed.

    Set the old key as IIT_MASTER_KEY_PREVIOUS meanwhile. The next run resumes an interrupted one. Ends with 3 when a
    tenant is left behind.
    """
    from core.jobs.payloads import reseal_platform_jobs
    from core.tenancy.rewrapping import rewrap_all

    with Progress("Wrapping keys") as progress:
        done = rewrap_all(actor=ACTOR, progress=lambda _slug: progress.advance(), others=(reseal_platform_jobs,))
    if as_json:
        print_json(done)
    else:
        click.echo(
            f"wrapped {done.keys} keys of {done.changed} tenants by the master key {done.kid};"
            f" {done.tenants - done.changed - len(done.failed)} tenants had it already"
        )
    for slug, why in done.failed.items():
        note(f"{slug}: {why}")
    if done.failed:
        done_in_part("the tenants named above need the previous key: correct the cause and run iit keys rewrap again")
    elif not as_json:
        note("no tenant needs another master key: remove IIT_MASTER_KEY_PREVIOUS, and restart every process")
