"""The demo of one partner, from files to today's lists: every step is a documented command."""

from __future__ import annotations

from datetime import date
from typing import Any

from core.cli.output import ACTOR, note
from core.database import TenantRef, tenant_session
from core.jobs import enqueue
from core.jobs.worker import drain
from core.tenancy import list_tenants
from tenants.demo.loop import earlier_list
from tenants.demo.partner_run import PartnerRun
from tenants.demo.partners import Partner
from tenants.risk.jobs import MEASURE

CAPACITY = 20
"""People per facility and list: as many as a tracker can call on a day."""
MONTHS_A_QUARTER = 3


def run_partner(partner: Partner) -> PartnerRun:
    """Import, train, score, list and explain for one partner.

    Raises:
        AppError: a command failed.
    """
    note(f"\n{partner.name}: {partner.summary}" + (" (simulated: nobody in it exists)" if partner.simulated else ""))
    partner_run = PartnerRun(partner)
    new = partner.slug not in {tenant.slug for tenant in list_tenants()}
    if new:
        partner_run.run("tenant", "tenant", "create", partner.slug, "--name", partner.name)
    for number, delivery in enumerate(partner.earlier):
        partner_run.deliver(f"import_before_{number}", delivery)
        if new and number == 0 and partner.earlier_list_day:
            earlier_list(partner_run, partner.earlier_list_day, CAPACITY)
    import_answer = partner_run.deliver("import", partner.delivery)
    partner_run.deliver("import_again", partner.delivery)
    as_of = partner.list_day or date.fromisoformat(import_answer["data_date"])
    partner_run.run("indicators", "indicators", partner.slug, "--period", quarter_before(as_of))
    training = partner_run.run("train", "train", partner.slug)
    compare_next(partner_run, training)
    if new and not training["too_young"]:
        score_past(partner_run)
    partner_run.run("score", "score", partner.slug, "--as-of", as_of.isoformat())
    partner_run.run("watch", "model", "watch", partner.slug)
    lists = partner_run.run(
        "worklist", "worklist", partner.slug, "--as-of", as_of.isoformat(), "--capacity", str(CAPACITY)
    )
    if people := lists["at_risk"]["people"]:
        riskiest = max(people, key=lambda person: float(person["score"]))["patient_id"]
        partner_run.run("explain", "explain", partner.slug, riskiest, "--as-of", as_of.isoformat())
    for guideline in partner.guidelines:
        partner_run.add(guideline)
    if partner.guidelines:
        read_guidelines(partner)
    return partner_run


def read_guidelines(partner: Partner) -> None:
    """Read and embed what waits, as a worker would, so that questions are answered even if nothing is served."""
    drain(_tenant(partner))
    note(f"{partner.name}: its guidelines can be asked")


def score_past(partner_run: PartnerRun) -> None:
    """Score past days on what was known then, and compare these predictions with what happened since."""
    partner = partner_run.partner
    if not partner.past_days:
        return
    for day in partner.past_days:
        partner_run.run(f"score_{day}", "score", partner.slug, "--as-of", day.isoformat())
    tenant = _tenant(partner)
    with tenant_session(tenant, actor=ACTOR) as session:
        enqueue(session, MEASURE, {}, dedupe_key=MEASURE)
    drain(tenant)
    note(f"{partner.name}: predictions of {len(partner.past_days)} past days are compared with what happened since")


def compare_next(partner_run: PartnerRun, training: dict[str, Any]) -> None:
    """Let the first other model that passed its gates score beside the champion, at no effect.

    A demo that runs again has a comparison already, which goes on.
    """
    slug = partner_run.partner.slug
    candidates = [each for each in training["models"] if each["state"] == "candidate"]
    others = [each["version"] for each in candidates if each["gates"]["passed"]]
    if others and not partner_run.run("trial", "model", "trial", slug)["trial"]:
        partner_run.run("compare", "model", "compare", slug, others[0])


def _tenant(partner: Partner) -> TenantRef:
    return next(tenant for tenant in list_tenants() if tenant.slug == partner.slug)


def quarter_before(day: date) -> str:
    """The last calendar quarter that has ended by the evening of ``day``, as ``2026Q3``."""
    quarter, year = (day.month - 1) // MONTHS_A_QUARTER + 1, day.year
    next_day = date.fromordinal(day.toordinal() + 1)
    if (next_day.month - 1) // MONTHS_A_QUARTER + 1 == quarter and next_day.year == year:
        quarter, year = (quarter - 1, year) if quarter > 1 else (4, year - 1)
    return f"{year}Q{quarter}"
