"""``iit results``: train and measure on known data sets, and write the results to ``docs/results.md``."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from core.cli.output import ACTOR, json_option, note, print_json
from tenants.demo.partners import EXAMPLES, simulated_for_results
from tenants.demo.steps import step

PAGE = EXAMPLES.parent / "results.md"


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set for the page of results.

    Attributes:
        slug: slug of the tenant that has it.
        title, about: title and description on the page.
        folder: name of its folder in the data folder.
        mapping: file name in ``docs/examples``.
    """

    slug: str
    title: str
    about: str
    folder: str
    mapping: str


COHORT = (
    "simulated by its authors from an IeDEA Southern Africa cohort (Haas, Zaniewski, Egger 2017; CC BY 4.0); no "
    "appointments are recorded, so the expected contact is the person's usual interval"
)
KNOWN = (
    DataSet("results-program-a", "ART cohort, programme A", COHORT, "art-cohort", "art-cohort-program-a.yaml"),
    DataSet("results-program-b", "ART cohort, programme B", COHORT, "art-cohort", "art-cohort-program-b.yaml"),
    DataSet(
        "results-appointments",
        "Outpatient appointments, Vitória, Brazil, 2016",
        "real bookings, not of HIV care: each booking is its own expected contact with a grace of 0 days",
        "appointments",
        "appointments.yaml",
    ),
)


@click.command("results")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that holds the known data sets.",
)
@click.option(
    "--page", type=click.Path(dir_okay=False, path_type=Path), default=PAGE, help="Where to write the results."
)
@click.option("--people", type=click.IntRange(100, 100_000), default=6000, show_default=True, help="To simulate.")
@json_option
def results(data: Path | None, page: Path, people: int, *, as_json: bool) -> None:
    """Measure the models on held-out time: on the simulated cohort, and on known data sets in the data folder."""
    from core.database import tenant_session
    from core.database.upgrade import migrate
    from core.settings import get_settings
    from core.tenancy import get_tenant, list_tenants
    from tenants.risk import report

    if data is not None and not any((data / data_set.folder).is_dir() for data_set in KNOWN):
        message = (
            f"none of the known data sets is there: it holds no folder {' or '.join(sorted({k.folder for k in KNOWN}))}"
        )
        raise click.BadParameter(message, param_hint="--data")
    migrate()
    simulated = simulated_for_results(get_settings().state_dir / "results", people=people)
    jobs = [
        (simulated.slug, "Simulated cohort", simulated.summary, simulated.delivery.paths, simulated.delivery.options)
    ]
    for data_set in KNOWN:
        folder = data / data_set.folder if data else None
        if folder is None or not folder.is_dir():
            note(f"{data_set.title}: left out, there is no folder {data_set.folder} in the data folder")
            continue
        jobs.append(
            (data_set.slug, data_set.title, data_set.about, (folder,), ("--mapping", str(EXAMPLES / data_set.mapping)))
        )
    slugs = {tenant.slug for tenant in list_tenants()}
    collected: list[dict[str, Any]] = []
    for slug, title, about, paths, options in jobs:
        if slug not in slugs:
            step("tenant", "create", slug, "--name", title)
        imported = step("import", slug, *(str(path) for path in paths), *options).answer
        trained = step("train", slug)
        with tenant_session(get_tenant(slug), actor=ACTOR) as session:
            result = report.collect(session, title, about)
        collected.append({**result, "import": _counts(imported), "training_seconds": trained.seconds})
    page.write_text(f"{report.page(collected)}\n{_how_made(data)}", encoding="utf-8")
    note(f"written to {page}")
    if as_json:
        print_json({"page": page, "results": collected})


def _counts(imported: dict[str, Any]) -> dict[str, Any]:
    return {
        name: imported[name]
        for name in ("rows_read", "rows_accepted", "rows_in_part", "rows_rejected", "rows_left_out", "data_date")
    }


def _how_made(data: Path | None) -> str:
    """How the page was made, so that anybody can repeat it."""
    command = "make results" + (" DATA=folder" if data else "")
    return (
        "## How this page was made\n\n"
        f"By `{command}` on Python {platform.python_version()}: each data set is imported by its mapping in\n"
        "[examples](examples), trained by `iit train` and told from the cards of its models. The simulated cohort is\n"
        "written by the command itself; the others are not part of this project.\n"
    )
