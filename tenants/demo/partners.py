"""The demo's partners: two simulated ones, or one with the visitor's own files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

from tenants.demo.files import write_generic, write_lamisplus
from tenants.demo.simulate import simulate
from tenants.demo.simulate_command import DATA_DATE

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


@dataclass(frozen=True, slots=True)
class Partner:
    """One tenant of the demo.

    Attributes:
        slug, name: slug and name of the tenant.
        summary: one line on its data.
        paths: the files to import.
        options: options of ``iit import``.
        simulated: whether the people are simulated.
    """

    slug: str
    name: str
    summary: str
    paths: tuple[Path, ...]
    options: tuple[str, ...]
    simulated: bool


def simulated_partners(folder: Path, *, people: int) -> list[Partner]:
    """Write the files of two partners under ``folder``, and return the partners.

    North sends generic CSV files with a mapping. South sends a LAMIS+ pharmacy list, without sex, age and deaths. The
    same call writes the same files.
    """
    north = simulate(people=people, facilities=8, data_date=DATA_DATE, years=3.0, seed=20260930)
    south = simulate(people=people // 3, facilities=4, data_date=DATA_DATE, years=2.5, seed=20260931)
    write_generic(north, folder / "north", prefix="SIMN")
    write_lamisplus(south, folder / "south", prefix="SIMS")
    return [
        Partner(
            "demo-north",
            "Simulated partner north",
            "generic CSV with a mapping: people, pick-ups, samples, deaths, transfers",
            (folder / "north",),
            ("--mapping", str(EXAMPLES / "simulated-cohort.yaml")),
            simulated=True,
        ),
        Partner(
            "demo-south",
            "Simulated partner south",
            "a LAMIS+ pharmacy list (xlsx): pick-ups alone",
            (folder / "south" / "pharmacy_list.xlsx",),
            ("--format", "lamisplus-pharmacy", "--data-date", DATA_DATE.isoformat()),
            simulated=True,
        ),
    ]


def own_partner(data: Path, mapping: Path | None, data_date: date | None) -> Partner:
    """One partner with the visitor's own files."""
    options = (
        *(("--mapping", str(mapping)) if mapping else ()),
        *(("--data-date", data_date.isoformat()) if data_date else ()),
    )
    digest = sha256(f"{data.resolve()}\n{mapping.resolve() if mapping else ''}".encode()).hexdigest()[:8]
    slug = f"demo-own-{digest}"  # another folder, or another mapping, is another partner
    return Partner(slug, "Your own files", f"the files in {data}", (data,), options, simulated=False)


def simulated_for_results(folder: Path, *, people: int) -> Partner:
    """A partner with a larger simulated cohort, for figures with narrower intervals."""
    cohort = simulate(people=people, facilities=15, data_date=DATA_DATE, years=4.0, seed=20260932)
    write_generic(cohort, folder, prefix="SIMR", broken=False)
    return Partner(
        "results-simulated",
        "Simulated cohort",
        f"simulated by this project from published rates ({people:,} people, 15 facilities): nobody in it exists",
        (folder,),
        ("--mapping", str(EXAMPLES / "simulated-cohort.yaml")),
        simulated=True,
    )
