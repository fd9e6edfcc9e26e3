"""Explain one patient's risk as of a day: every theme, in both directions; the contributions add up exactly."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from core import audit
from core.database import RoundTripError
from core.errors import NotFound, phrase
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
from tenants.risk.fallback import fallback_model
from tenants.risk.input_list import NAMES
from tenants.risk.online import READ, PatientFacts, read_at_once
from tenants.risk.pending import matrix, one_each
from tenants.risk.reference_rates import stored_rates
from tenants.risk.staleness import is_stale
from tenants.risk.wording import changing, strongest, summary

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from core.database import SessionOpener, TenantRef, TenantSession
    from tenants.risk.models import RiskModel
    from tenants.risk.serving import ServingModel


@dataclass(frozen=True, slots=True)
class RiskExplanation:
    """One patient's risk as of a day, or the reason why there is none.

    Attributes:
        patient_id: UUID of the patient.
        as_of: the day; only what was known on it counts.
        status: status on that day.
        kind: ``at_risk``, ``to_trace`` or ``none``.
        expected_date: the expected contact.
        days_late: days past it, for people to be traced.
        risk: calibrated probability of no contact by expected + grace; None for people who are not at risk of it.
        risk_low, risk_high: 95 % interval of the outcomes of people with such scores on held-out time.
        raw_score: the model's own probability.
        base: log-odds of an average person.
        usual_risk: the calibrated probability of an average person, to compare ``risk`` with.
        reasons: contribution of each theme to the raw log-odds, strongest first, without the negligible ones.
        other_contribution: sum of all other contributions: base + reasons + this is the raw log-odds.
        summary: the risk beside the usual one, and why, in one line.
        features: the values of the features; None where unknown.
        model_version, data_date, complete_through, stale, note: the source of the risk, and how far to trust it.
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


def model_of(
    tenant: TenantRef, open_session: SessionOpener, key: tuple[UUID, str | None] | None = None
) -> ServingModel:
    """Return the serving model. It reads the blob store, so call it outside a transaction.

    Args:
        tenant: whose model.
        open_session: opens a transaction.
        key: UUID and stored hash of the model that serves a facility; a challenger that cannot be read is passed over.
    """
    if key is not None:
        with open_session() as session:
            own = repository.get_model(session, key[0])
            session.expunge(own)
        if own.state == "challenger":
            with suppress(ModelFailed):
                return serving.load_cached(tenant, own)
    with open_session() as session:
        model = serving.cached(session)
        if model is not None:
            return model
        row = serving.preferred(session)
    if row is None:
        return serving.untrained()
    try:
        return serving.load_cached(tenant, row)
    except ModelFailed as error:
        return _fallback(tenant, open_session, row, error)


def _fallback(tenant: TenantRef, open_session: SessionOpener, row: RiskModel, error: ModelFailed) -> ServingModel:
    model = fallback_model(tenant, open_session, row, error)
    serving.cache_fallback(tenant, row, model)
    return model


def explain(
    tenant: TenantRef,
    open_session: SessionOpener,
    patient: str,
    as_of: date | None,
    *,
    by: tuple[str, str] | None = None,
) -> RiskExplanation:
    """Explain one patient, given by UUID or programme identifier. The audit records the read.

    One transaction reads the patient's facts; the model is called after it has ended.

    Args:
        tenant: the patient's tenant.
        open_session: opens a transaction.
        patient: UUID or identifier.
        as_of: the day, with what was known then. Default: today.
        by: actor and request id (``Scope.by_at_once``); with it, one round trip may read the facts without a session,
            wherever the patient's facility is.

    Raises:
        NotFound: there is no such patient on record.
    """
    facts = _read_facts(tenant, open_session, patient, day_asked(tenant, as_of), by)
    model = serving.cached_by_key(tenant, facts.model_key) or model_of(tenant, open_session, facts.model_key)
    try:
        return _explain_facts(facts, model)
    except ModelFailed as error:
        with open_session() as session:
            row = serving.preferred(session)
        if row is None:
            raise
        if row.version == model.version:
            return _explain_facts(facts, _fallback(tenant, open_session, row, error))
    return _explained_by_champion(tenant, open_session, facts, row)


def _explained_by_champion(
    tenant: TenantRef, open_session: SessionOpener, facts: PatientFacts, row: RiskModel
) -> RiskExplanation:
    """The explanation by the champion, or by its fallback, of a patient whose challenger failed."""
    champion = model_of(tenant, open_session)
    try:
        return _explain_facts(facts, champion)
    except ModelFailed as error:
        return _explain_facts(facts, _fallback(tenant, open_session, row, error))


def _read_facts(
    tenant: TenantRef, open_session: SessionOpener, patient: str, as_of: date, by: tuple[str, str] | None
) -> PatientFacts:
    uuid = as_uuid(patient)
    if uuid is not None and by is not None:
        with suppress(RoundTripError):
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
        model_key=repository.serving_key(session, fact["uuid"]),
    )


def _explain_facts(facts: PatientFacts, model: ServingModel) -> RiskExplanation:
    timelines, rules, day = facts.timelines, facts.rules, day_number(facts.as_of)
    day_snapshot = snapshot(timelines, [0], day)
    pending = pending_units(timelines, day, rules, day_snapshot)
    status = STATUSES[int(status_at(transitions(day_snapshot, rules), np.array([0]), day)[0])]
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
        return _not_scored(shared, to_trace(timelines, day, rules, day_snapshot))
    columns = matrix(timelines, pending, rules, facts.rates, day_snapshot if len(pending) == 1 else None)
    raw, risk = model.raw_and_risk(columns)
    unit = one_each(pending, risk)[0]
    row = columns[unit]
    base, themes = model.themes(row[None, :])
    reasons, usual = changing(row, themes[0]), model.usual_risk(base)
    low, high = model.reliability.interval(risk[unit])
    return RiskExplanation(
        **shared,
        kind="at_risk",
        expected_date=to_date(int(pending.expected[unit])),
        days_late=0,
        risk=float(risk[unit]),
        risk_low=None if np.isnan(low) else float(low),
        risk_high=None if np.isnan(high) else float(high),
        raw_score=float(raw[unit]),
        raw_log_odds=float(logit(raw[unit])),
        base=base,
        usual_risk=usual,
        reasons=reasons,
        other_contribution=float(themes[0].sum()) - sum(reason["contribution"] for reason in reasons),
        summary=summary(float(risk[unit]), usual, strongest(reasons)),
        features={
            name: None if np.isnan(value) else float(value)
            for name, value in zip(NAMES, row[: len(NAMES)], strict=True)
        },
        note=model.note,
    )


NOT_SCORED: Final = {
    "unknown": (
        "status unknown: a contact in the records is not readable; not called",
        phrase("Neither scored nor listed until the cell is corrected or a later contact comes."),
    ),
    "invalid": ("not a valid record in the partner's own list; not called", phrase("Neither scored nor listed.")),
}
"""Statuses of people who may be on treatment but are never scored -> a line for the summary, and its meaning."""


def _not_scored(shared: dict[str, Any], trace: Any) -> RiskExplanation:  # noqa: ANN401 - a Trace
    """The explanation of people who are not scored: past the expected contact (traced), or not on treatment."""
    late = len(trace.patient) > 0
    theirs = late and bool(trace.by_partner[0])
    days = int(trace.days_late[0]) if late else 0
    line, note = NOT_SCORED.get(shared["status"], ("no contact is expected", phrase("Not on treatment on this day.")))
    if late:
        state = "in IIT" if bool(trace.iit[0]) else "late"
        line = f"{state}, {days} days past the expected contact: to be traced"
        if theirs:
            line = f"{state} by the partner's own list, since a contact is not readable: to be traced"
        note = phrase("People past the expected contact are traced, not scored.")
    return RiskExplanation(
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
