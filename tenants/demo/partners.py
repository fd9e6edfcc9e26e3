"""The demo's partners: two simulated ones, or one with the visitor's own files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from tenants.demo.files import write_contacts, write_generic, write_lamisplus
from tenants.demo.guidelines import Guideline, guidelines
from tenants.demo.simulate import day_number, simulate
from tenants.demo.simulate_command import DATA_DATE

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
ZONE: Final = "Africa/Lagos"
"""The simulated partners' time zone, the default of a tenant."""
LAST_WEEK: Final = timedelta(days=7)
PAST: Final = (118, 83, 55)
"""Days before the data date of the past predictions: later than a model's training, and their outcomes are known."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a partner sends at one time.

    Attributes:
        paths: the files to import.
        options: options of ``iit import``.
    """

    paths: tuple[Path, ...]
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Partner:
    """One tenant of the demo.

    Attributes:
        slug, name: slug and name of the tenant.
        summary: one line on its data.
        delivery: the newest files.
        simulated: whether the people are simulated.
        earlier: deliveries before, oldest first.
        list_day: the day to score and list for; None for the day to which the records run.
        earlier_list_day: the day of the list that the first earlier delivery is made into; None for no such list.
        past_days: days after the training period to score too, so that outcomes of predictions are known.
        officer_facilities: how many facilities the tracking officer looks after.
        guidelines: the guidelines that its clinics work by.
    """

    slug: str
    name: str
    summary: str
    delivery: Delivery
    simulated: bool
    earlier: tuple[Delivery, ...] = ()
    list_day: date | None = None
    earlier_list_day: date | None = None
    past_days: tuple[date, ...] = ()
    officer_facilities: int = 1
    guidelines: tuple[Guideline, ...] = ()


def data_date_of(folder: Path, yesterday: date) -> date:
    """The day to which the simulated records run: yesterday at the first demo, and the same day at every later one.

    A cohort that moved with the calendar would be other people under the same identifiers.
    """
    marker = folder / "data-date"
    if not marker.exists():
        folder.mkdir(parents=True, exist_ok=True)
        marker.write_text(yesterday.isoformat(), encoding="utf-8")
    return date.fromisoformat(marker.read_text(encoding="utf-8"))


def simulated_partners(folder: Path, *, people: int, data_date: date = DATA_DATE) -> list[Partner]:
    """Write the files of two partners under ``folder``, and return the partners. The same call writes the same files.

    North sends generic CSV files with a mapping. South sends a LAMIS+ pharmacy list, without sex, age and deaths, and a
    list of names and phones. Both sent what they had a week before, too. North has guidelines, which are examples.
    """
    north = simulate(people=people, facilities=8, data_date=data_date, years=3.0, seed=20260930)
    south = simulate(people=people // 3, facilities=4, data_date=data_date, years=2.5, seed=20260931)
    week_ago = data_date - LAST_WEEK
    north_before, south_before = (cohort.known_on(day_number(week_ago)) for cohort in (north, south))
    folders = {name: folder / name for name in ("north", "north-before", "south", "south-before")}
    write_generic(north, folders["north"], prefix="SIMN")
    write_generic(north_before, folders["north-before"], prefix="SIMN", broken=False)
    (list_path,) = write_lamisplus(south, folders["south"], prefix="SIMS")
    (list_before,) = write_lamisplus(south_before, folders["south-before"], prefix="SIMS", broken=False)
    contacts = write_contacts(south, folders["south"], prefix="SIMS")
    mapping = ("--mapping", str(EXAMPLES / "simulated-cohort.yaml"))
    contacts_mapping = ("--mapping", str(EXAMPLES / "simulated-contacts.yaml"))
    return [
        Partner(
            "demo-north",
            "Simulated partner north",
            "generic CSV with a mapping: people, pick-ups, samples, deaths, transfers",
            Delivery((folders["north"],), mapping),
            simulated=True,
            earlier=(Delivery((folders["north-before"],), mapping),),
            list_day=data_date + timedelta(days=1),
            earlier_list_day=week_ago + timedelta(days=1),
            past_days=tuple(data_date - timedelta(days=days) for days in PAST),
            guidelines=tuple(guidelines()),
        ),
        Partner(
            "demo-south",
            "Simulated partner south",
            "a LAMIS+ pharmacy list (xlsx): pick-ups alone; names and phones beside it",
            Delivery((list_path,), _pharmacy_list(data_date)),
            simulated=True,
            earlier=(
                Delivery((list_before,), _pharmacy_list(week_ago)),
                Delivery((contacts,), (*contacts_mapping, "--data-date", data_date.isoformat())),
            ),
            list_day=data_date + timedelta(days=1),
            earlier_list_day=week_ago + timedelta(days=1),
            officer_facilities=2,
        ),
    ]


def _pharmacy_list(data_date: date) -> tuple[str, ...]:
    return ("--format", "lamisplus-pharmacy", "--data-date", data_date.isoformat())


def own_partner(data: Path, mapping: Path | None, data_date: date | None) -> Partner:
    """One partner with the visitor's own files."""
    options = (
        *(("--mapping", str(mapping)) if mapping else ()),
        *(("--data-date", data_date.isoformat()) if data_date else ()),
    )
    digest = sha256(f"{data.resolve()}\n{mapping.resolve() if mapping else ''}".encode()).hexdigest()[:8]
    slug = f"demo-own-{digest}"  # another folder, or another mapping, is another partner
    return Partner(slug, "Your own files", f"the files in {data}", Delivery((data,), options), simulated=False)


def simulated_for_results(folder: Path, *, people: int) -> Partner:
    """A partner with a larger simulated cohort, for figures with narrower intervals."""
    cohort = simulate(people=people, facilities=15, data_date=DATA_DATE, years=4.0, seed=20260932)
    write_generic(cohort, folder, prefix="SIMR", broken=False)
    return Partner(
        "results-simulated",
        "Simulated cohort",
        f"simulated by this project from published rates ({people:,} people, 15 facilities): nobody in it exists",
        Delivery((folder,), ("--mapping", str(EXAMPLES / "simulated-cohort.yaml"))),
        simulated=True,
    )
