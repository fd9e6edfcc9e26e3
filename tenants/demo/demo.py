"""The main job, from files to today's lists, for one partner: every step a documented command."""

from __future__ import annotations

from datetime import date

from core.cli.output import note
from core.tenancy import list_tenants
from tenants.demo.partner_run import PartnerRun
from tenants.demo.partners import Partner

CAPACITY = 20
"""People per facility and list: what a tracker can call on a day."""
MONTHS_A_QUARTER = 3


def run_partner(partner: Partner) -> PartnerRun:
    """Import, train, score, list and explain for one partner.

    Raises:
        AppError: a command failed.
    """
    note(f"\n{partner.name}: {partner.summary}" + (" (simulated: nobody in it exists)" if partner.simulated else ""))
    done = PartnerRun(partner)
    if partner.slug not in {tenant.slug for tenant in list_tenants()}:
        done.run("tenant", "tenant", "create", partner.slug, "--name", partner.name)
    paths = [str(path) for path in partner.paths]
    found = done.run("import", "import", partner.slug, *paths, *partner.options)
    done.run("import_again", "import", partner.slug, *paths, *partner.options)
    as_of = date.fromisoformat(found["data_date"])
    done.run("indicators", "indicators", partner.slug, "--period", quarter_before(as_of))
    done.run("train", "train", partner.slug)
    done.run("score", "score", partner.slug, "--as-of", as_of.isoformat())
    lists = done.run("worklist", "worklist", partner.slug, "--as-of", as_of.isoformat(), "--capacity", str(CAPACITY))
    if people := lists["at_risk"]["people"]:
        riskiest = max(people, key=lambda person: float(person["score"]))["patient_uuid"]
        done.run("explain", "explain", partner.slug, riskiest, "--as-of", as_of.isoformat())
    return done


def quarter_before(day: date) -> str:
    """The last calendar quarter that is over by the evening of ``day``, as ``2026Q3``."""
    quarter, year = (day.month - 1) // MONTHS_A_QUARTER + 1, day.year
    next_day = date.fromordinal(day.toordinal() + 1)
    if (next_day.month - 1) // MONTHS_A_QUARTER + 1 == quarter and next_day.year == year:
        quarter, year = (quarter - 1, year) if quarter > 1 else (4, year - 1)
    return f"{year}Q{quarter}"
