"""The command ``iit import``."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.cli import output
from core.errors import AppError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from uuid import UUID

    from core.database import SessionOpener, TenantRef, TenantSession
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.sources import Source
    from tenants.imports.report import Summary
    from tenants.imports.service import Order

PROBLEMS_SHOWN = 12
FILES_SHOWN = 10


@click.command("import")
@click.argument("slug")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--mapping",
    "mapping_path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file that maps columns to records.",
)
@click.option("--format", "format_name", default="", help="Format of the files. Default: detected.")
@click.option(
    "--data-date", type=click.DateTime(["%Y-%m-%d"]), help="Date to which the data run; overrides the mapping's."
)
@click.option(
    "--dates",
    type=click.Choice(["day-first", "month-first"]),
    help="Which comes first in dates such as 03/04/2024, if the files do not show it; overrides the mapping's.",
)
@click.option("--strict", is_flag=True, help="Import nothing if any row is rejected.")
@click.option("--new-people", is_flag=True, help="The people are new, even if no person at a facility is known.")
@click.option(
    "--rejections", type=click.Path(path_type=Path, dir_okay=False), help="Write the rejected rows to this CSV file."
)
@output.json_option
def import_command(  # noqa: PLR0913, PLR0917 - click passes options by name
    slug: str,
    paths: tuple[Path, ...],
    mapping_path: Path | None,
    format_name: str,
    data_date: datetime | None,
    dates: str | None,
    strict: bool,  # noqa: FBT001 - click passes options by name
    new_people: bool,  # noqa: FBT001 - click passes options by name
    rejections: Path | None,
    as_json: bool,  # noqa: FBT001 - click passes options by name
) -> None:
    """Import a partner's records from files or folders into the tenant SLUG.

    The same files again change nothing. After an interruption, the same command resumes. The exit code is 3 if some
    rows were rejected, or wait for people whom no import has named.
    """
    from tenants.imports.mapping import Mapping
    from tenants.imports.reading.sources import bystanders, from_paths
    from tenants.imports.service import GivenFile, Order

    tenant = output.tenant(slug)
    if rejections is not None and not rejections.parent.is_dir():
        message = f"--rejections: there is no folder {rejections.parent}"
        raise click.UsageError(message)
    mapping = _mapping(mapping_path) if mapping_path else Mapping()
    if dates is not None:
        mapping = mapping.model_copy(update={"dates": dates})
    if new_people:
        mapping = mapping.model_copy(update={"new_people": True})
    sources = from_paths(paths)
    if left_out := bystanders(paths):
        output.note(f"left out, since systems put them there: {', '.join(left_out[:FILES_SHOWN])}")
    order = Order(
        files=[GivenFile(source.name, source.size, source.digest()) for source in sources],
        mapping=mapping,
        format=format_name,
        data_date=_day(data_date),
        strict=strict,
    )
    summary = _run(tenant, order, sources, rejections)
    if as_json:
        output.print_json(summary)
    else:
        _show(summary)
    if unfinished := _not_whole(summary, rejections):
        output.done_in_part(unfinished)


def _not_whole(summary: Summary, rejections: Path | None) -> str:
    """The rows that are not in the records, in words; empty if all of them are."""
    parts = []
    if summary.rows_rejected or summary.rows_in_part:
        where = f"; see {rejections}" if rejections else "; --rejections FILE writes them all"
        parts.append(
            f"{summary.rows_rejected:,} were rejected and {summary.rows_in_part:,} taken without some of their"
            f" cells{where}"
        )
    if summary.rows_waiting:
        parts.append(f"{summary.rows_waiting:,} wait for people whom no import has named")
    return f"of {summary.rows_read:,} rows {'; '.join(parts)}" if parts else ""


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _mapping(path: Path) -> Mapping:
    from tenants.imports.mapping import parse_mapping
    from tenants.imports.reading.sources import rejected

    try:
        return parse_mapping(path.read_bytes())
    except OSError as error:
        raise rejected(
            str(path), f"the mapping cannot be read ({error.strerror})", "check the path of --mapping"
        ) from error


def _run(tenant: TenantRef, order: Order, sources: list[Source], rejections: Path | None) -> Summary:
    from core.database import tenant_session
    from tenants.imports import report, service
    from tenants.imports.runner import Runner

    def open_session() -> AbstractContextManager[TenantSession]:
        return tenant_session(tenant, actor=output.ACTOR)

    swept = service.sweep(open_session)
    with open_session() as session:
        row, goes_on = service.begin(session, order, swept)
        uuid, rows, over = row.uuid, row.rows_read, row.state == "done"
    if goes_on:
        output.note(f"resuming the import ({rows:,} rows read before)")
    try:
        with output.Progress("Importing") as progress:
            if not over:
                Runner(open_session, uuid, sources, progress.update).run()
    except AppError:
        _write_rejections(open_session, uuid, rejections)
        raise
    _write_rejections(open_session, uuid, rejections)
    with open_session() as session:
        return report.summary(session, service.get(session, uuid))


def _write_rejections(open_session: SessionOpener, uuid: UUID, path: Path | None) -> None:
    if path is None:
        return
    from tenants.imports import report

    with open_session() as session, path.open("w", encoding="utf-8", newline="") as file:
        for piece in report.rejections_csv(session, uuid):
            file.write(piece)


def _show(summary: Summary) -> None:
    files = ", ".join(summary.files[:FILES_SHOWN])
    if len(summary.files) > FILES_SHOWN:
        files += f" and {len(summary.files) - FILES_SHOWN:,} more"
    click.echo(f"Import {summary.id} of {files}: {summary.state} in {summary.seconds or 0:.1f} s")
    click.echo(f"Format {summary.format}, source {summary.source}, data to {summary.data_date}")
    left_out = (
        f"; {summary.rows_left_out:,} left out (by the mapping, totals, headings)" if summary.rows_left_out else ""
    )
    parts = ((summary.rows_in_part, "in part"), (summary.rows_repeated, "repeated"))
    of_these = ", ".join(f"{count:,} {description}" for count, description in parts if count)
    click.echo(
        f"Rows read {summary.rows_read:,}: accepted {summary.rows_accepted:,}{f' ({of_these})' if of_these else ''},"
        f" rejected {summary.rows_rejected:,}{_also(summary.rows_waiting, ', waiting')}{left_out}"
    )
    click.echo(f"People in the accepted rows: {summary.people:,}")
    for sentence in summary.notes:
        click.echo(f"Note: {sentence}")
    if summary.rows_released:
        click.echo(
            f"Rows of earlier imports that waited for these people, now in the records: {summary.rows_released:,}"
        )
    rows = [{"records": kind, **counts} for kind, counts in summary.counts.items() if "inserted" in counts]
    if rows:
        click.echo("")
        output.print_table(rows, ("records", "inserted", "updated", "unchanged", "superseded", "still_voided"))
    if summary.waiting:
        click.echo("")
        click.echo("Waiting for people whom no import has named; these rows are kept")
        output.print_table(summary.waiting, ("rows", "people", "field", "problem", "remedy"))
    if summary.problems:
        click.echo("")
        shown = [
            {**problem, "row": "accepted" if problem["row_accepted"] else "rejected"}
            for problem in summary.problems[:PROBLEMS_SHOWN]
        ]
        output.print_table(shown, ("count", "file", "field", "row", "problem", "remedy"))


def _also(rows: int, label: str) -> str:
    return f"{label} {rows:,}" if rows else ""


@click.command("undo-import")
@click.argument("slug")
@click.argument("import_id", type=click.UUID)
@output.json_option
def undo_command(slug: str, import_id: UUID, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Undo an import of the tenant SLUG: the records become what they would be without it.

    After an interruption, the same command resumes.
    """
    from core.database import tenant_session
    from tenants.imports import report, service
    from tenants.imports.applying import undoing

    tenant = output.tenant(slug)

    def open_session() -> AbstractContextManager[TenantSession]:
        return tenant_session(tenant, actor=output.ACTOR)

    with open_session() as session:
        undoing.begin(session, import_id)
    with output.Progress("Undoing") as progress:
        undoing.finish(open_session, import_id, progress.update)
    with open_session() as session:
        summary = report.summary(session, service.get(session, import_id))
    if as_json:
        output.print_json(summary)
    else:
        click.echo(f"Import {summary.id} of {', '.join(summary.files[:FILES_SHOWN])}: {summary.state}")
