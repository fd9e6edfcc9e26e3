"""Why one patient's risk is what it is, as of a day: every theme, in both directions, adding up exactly."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from core import audit
from core.database import NotAtOnce
from core.errors import NotFound
from plugins.sdk import logit
from tenants.cohort.load import load_timelines
from tenants.cohort.presenting import day_asked
from tenants.cohort.service import cohort_settings
from tenants.cohort.status import STATUSES, status_at, transitions
from tenants.cohort.timelines import day_number, snapshot, to_date
from tenants.cohort.units import pending_units, to_trace
from tenants.records.repository import as_uuid
from tenants.records.service import find_patient
from tenants.risk import repository, serving
from tenants.risk.failures import ModelFailed
from tenants.risk.fallback import stand_in
from tenants.risk.feature_list import NAMES
from tenants.risk.online import READ, PatientFacts, read_at_once
from tenants.risk.pending import matrix, one_each
from tenants.risk.reference_rates import stored_rates
from tenants.risk.staleness import is_stale
from tenants.risk.wording import shown, strongest, summary

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from core.database import SessionOpener, TenantRef, TenantSession
    from tenants.risk.models import RiskModel
    from tenants.risk.serving import Serving


@dataclass(frozen=True, slots=True)
class Explained:
    """One patient's risk as of a day, or why there is none.

    Attributes:
        patient_id: who.
        as_of: the day; only what was known on it is used.
        status: on that day.
        kind: ``at_risk``, ``to_trace`` or ``none``.
        expected_date: the expected contact.
        days_late: days past it, for those to be traced.
        risk: calibrated probability of no contact by expected + grace; None for who is not at risk of it.
        risk_low, risk_high: what came of people scored alike on held-out time, 95 %.
        raw_score: the model's own probability.
        base: log-odds of a person of whom nothing stands out.
        usual_risk: the calibrated probability of such a person: what ``risk`` is compared with.
        reasons: what each theme adds to the raw log-odds, strongest first, where it is enough to be a reason.
        other_contribution: what all other themes add together: base + reasons + this is the raw log-odds.
        summary: where the risk stands against the usual one, and why, in one line.
        features: the numbers behind it; None where not known.
        model_version, data_date, complete_through, stale, note: where it comes from and how far to trust it.
    """

    patient_id: UUID
    as_of: date
    status: str
    kind: str
    expected_date: date | None
    days_late: int | None
    risk: float | None
    risk_low: float | None
    risk_high: float | None
    raw_score: float | None
    raw_log_odds: float | None
    base: float | None
    usual_risk: float | None
    reasons: list[dict[str, Any]]
    other_contribution: float | None
    summary: str
    features: dict[str, float | None]
    model_version: str
    data_date: date | None
    complete_through: date | None
    stale: bool
    note: str


def model_of(tenant: TenantRef, open_session: SessionOpener) -> Serving:
    """The model that explains: the preferred one. Reads the blob store, so it is called before the transaction."""
    with open_session() as session:
        model = serving.kept(session)
        if model is not None:
            return model
        row = serving.preferred(session)
    if row is None:
        return serving.untrained()
    try:
        return serving.load_kept(tenant, row)
    except ModelFailed as error:
        return _in_place(tenant, open_session, row, error)


def _in_place(tenant: TenantRef, open_session: SessionOpener, row: RiskModel, error: ModelFailed) -> Serving:
    model = stand_in(tenant, open_session, row, error)
    serving.keep_in_place(tenant, row, model)
    return model


def explain(
    tenant: TenantRef,
    open_session: SessionOpener,
    patient: str,
    as_of: date | None,
    *,
    by: tuple[str, str] | None = None,
) -> Explained:
    """Explain one patient, named by UUID or programme identifier; the read is recorded in the audit.

    The patient's facts are read in one transaction; the model is called when it has ended.

    Args:
        tenant: whose patient.
        open_session: opens a transaction.
        patient: UUID or identifier.
        as_of: the day, as known then; today where none is given.
        by: actor and request id, where the facts may be read in one round trip without a session.

    Raises:
        NotFound: there is no such patient on record.
    """
    facts = _read(tenant, open_session, patient, day_asked(tenant, as_of), by)
    model = serving.kept_by_key(tenant, facts.model_key) or model_of(tenant, open_session)
    try:
        return _explained(facts, model)
    except ModelFailed as error:
        with open_session() as session:
            row = serving.preferred(session)
        if row is None:
            raise
        return _explained(facts, _in_place(tenant, open_session, row, error))


def _read(
    tenant: TenantRef, open_session: SessionOpener, patient: str, as_of: date, by: tuple[str, str] | None
) -> PatientFacts:
    uuid = as_uuid(patient)
    if uuid is not None and by is not None:
        with suppress(NotAtOnce):
            return read_at_once(tenant, by, uuid, as_of)
    with open_session() as session:
        return _read_by_session(session, find_patient(session, patient).uuid, as_of)


def _read_by_session(session: TenantSession, patient: UUID, as_of: date) -> PatientFacts:
    timelines = next(iter(load_timelines(session, patient_uuids=[patient])), None)
    if timelines is None:
        detail = "there is no such patient on record"
        raise NotFound(detail, remedy="check the UUID")
    audit.record(session, READ, "patient", patient, {"as_of": as_of.isoformat()})
    rules = cohort_settings(session)
    fact = repository.facility_facts(session, timelines.facilities[int(timelines.facility[0])])[0]
    return PatientFacts(
        patient=patient,
        as_of=as_of,
        timelines=timelines,
        rules=rules,
        rates=stored_rates(session, as_of, rules),
        complete_through=fact["complete_through"],
        data_date=fact["data_date"],
        model_key=repository.preferred_key(session),
    )


def _explained(facts: PatientFacts, model: Serving) -> Explained:
    timelines, rules, day = facts.timelines, facts.rules, day_number(facts.as_of)
    seen = snapshot(timelines, [0], day)
    pending = pending_units(timelines, day, rules, seen)
    status = STATUSES[int(status_at(transitions(seen, rules), np.array([0]), day)[0])]
    shared: dict[str, Any] = {
        "patient_id": facts.patient,
        "as_of": facts.as_of,
        "status": status,
        "data_date": facts.data_date,
        "complete_through": facts.complete_through,
        "stale": is_stale(facts.complete_through, facts.as_of, rules.completeness.stale_after_days),
        "model_version": model.version,
    }
    if len(pending) == 0:
        return _not_scored(shared, to_trace(timelines, day, rules, seen))
    columns = matrix(timelines, pending, rules, facts.rates, seen if len(pending) == 1 else None)
    raw, risk = model.raw_and_risk(columns)
    chosen = one_each(pending, risk)[0]
    row = columns[chosen]
    base, themes = model.themes(row[None, :])
    reasons, usual = shown(row, themes[0]), model.usual_risk(base)
    low, high = model.reliability.interval(risk[chosen])
    return Explained(
        **shared,
        kind="at_risk",
        expected_date=to_date(int(pending.expected[chosen])),
        days_late=0,
        risk=float(risk[chosen]),
        risk_low=None if np.isnan(low) else float(low),
        risk_high=None if np.isnan(high) else float(high),
        raw_score=float(raw[chosen]),
        raw_log_odds=float(logit(raw[chosen])),
        base=base,
        usual_risk=usual,
        reasons=reasons,
        other_contribution=float(themes[0].sum()) - sum(reason["contribution"] for reason in reasons),
        summary=summary(float(risk[chosen]), usual, strongest(reasons)),
        features={
            name: None if np.isnan(value) else float(value)
            for name, value in zip(NAMES, row[: len(NAMES)], strict=True)
        },
        note=model.note,
    )


NOT_SCORED: Final = {
    "unknown": (
        "status not known: a contact in the records cannot be read; not called",
        "Neither scored nor listed until the cell is corrected or a later contact comes.",
    ),
    "invalid": ("not a valid record in the partner's own list; not called", "Neither scored nor listed."),
}
"""Statuses of people who may be on treatment but are never scored: in one line, and what it means."""


def _not_scored(shared: dict[str, Any], trace: Any) -> Explained:  # noqa: ANN401 - a Trace
    """Someone past the expected contact is traced, not scored; someone not on treatment is neither."""
    late = len(trace.patient) > 0
    theirs = late and bool(trace.by_partner[0])
    days = int(trace.days_late[0]) if late else 0
    line, note = NOT_SCORED.get(shared["status"], ("no contact is expected", "Not on treatment on this day."))
    if late:
        what = "in IIT" if bool(trace.iit[0]) else "late"
        line = f"{what}, {days} days past the expected contact: to be traced"
        if theirs:
            line = f"{what} by the partner's own list, since a contact cannot be read: to be traced"
        note = "Who is past the expected contact is traced, not scored."
    return Explained(
        **shared,
        kind="to_trace" if late else "none",
        expected_date=to_date(int(trace.expected[0])) if late else None,
        days_late=None if theirs else days,
        risk=None,
        risk_low=None,
        risk_high=None,
        raw_score=None,
        raw_log_odds=None,
        base=None,
        usual_risk=None,
        reasons=[],
        other_contribution=None,
        summary=line,
        features={},
        note=note,
    )
