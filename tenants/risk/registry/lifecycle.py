"""Promote a model, approve it, retire it, and return to the one before; each act with its event and its audit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlmodel import col, or_, select

from core import audit
from core.clock import now, today
from core.errors import Conflict, phrase
from core.tenancy import settings as tenant_settings
from tenants.risk import naive, repository, serving
from tenants.risk.failures import ModelFailed
from tenants.risk.models import RiskModel
from tenants.risk.models_registry import ModelEvent
from tenants.risk.registry import signals, terms
from tenants.risk.settings import RiskSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from core.database import SessionOpener, TenantRef, TenantSession

LOCK: Final = "models"
CHAMPION: Final = "preferred"
BESIDE: Final = ("shadow", "challenger")
WAITING: Final = ("candidate", "retired")
MOST_EVENTS: Final = 50


def promote(tenant: TenantRef, open_session: SessionOpener, uuid: UUID, note: str = "") -> RiskModel:
    """Make a model the champion: it scores from the next scoring on. The former champion scores beside it for a while.

    Raises:
        NotFound: there is no such model.
        Conflict: it did not pass its gates, was beaten where it was compared, lacks an approval, or cannot be read.
    """
    _require_readable(tenant, open_session, uuid)
    with open_session() as session:
        repository.lock(session, LOCK)
        row = _locked(session, uuid)
        if row.state != CHAMPION:
            _require_promotable(session, row)
            make_champion(session, row, "promoted", note)
            session.flush()
        session.expunge(row)
    return row


def roll_back(
    tenant: TenantRef, open_session: SessionOpener, note: str = "", *, champion: UUID | None = None
) -> RiskModel:
    """Return to the model that was the champion before.

    Args:
        tenant: whose model.
        open_session: opens a transaction.
        note: why.
        champion: the champion that the caller saw; any if None.

    Raises:
        NotFound: there is no model ``champion``.
        Conflict: there is no former champion, it cannot be read, or another model serves meanwhile.
    """
    with open_session() as session:
        if champion is not None and repository.get_model(session, champion).state != CHAMPION:
            raise _cannot(phrase("another model serves meanwhile"), remedy="look at the models again")
        former = former_champion(session)
        uuid = None if former is None else former.uuid
    if uuid is None:
        raise _no_former()
    _require_readable(tenant, open_session, uuid)
    with open_session() as session:
        repository.lock(session, LOCK)
        row = roll_back_within(session, note)
        session.flush()
        session.expunge(row)
    return row


def roll_back_within(session: TenantSession, note: str) -> RiskModel:
    """Return to the former champion in this transaction. Whoever scores verifies its file then.

    Raises:
        Conflict: there is no former champion.
    """
    row = former_champion(session)
    if row is None:
        raise _no_former()
    make_champion(session, row, "rolled_back", note)
    return row


def make_champion(session: TenantSession, row: RiskModel, action: str, note: str = "") -> None:
    """Let a model score from now on, and retire the one that scored. The caller has the lock and has checked it."""
    former = repository.preferred_model(session)
    if former is not None:
        former.state, former.state_changed_at = "retired", now()
        former.trial = terms.ended(former.trial, "rolled_back" if action == "rolled_back" else "passed")
        session.add(former)
        session.flush()
    _end_comparison(session, row)
    row.trial = terms.ended(row.trial, "promoted")
    row.state, row.state_changed_at = CHAMPION, now()
    days = tenant_settings.get(session, RiskSettings).canary_days
    if action == "promoted" and former is not None and naive.NAME not in {former.plugin, row.plugin} and days:
        row.trial = terms.canary(former.uuid, former.version, today(session.tenant.time_zone), days)
    session.add(row)
    session.flush()
    note_event(session, row, action, note, former=None if former is None else former.uuid)
    if action == "promoted":
        signals.promoted(session)


def _end_comparison(session: TenantSession, champion: RiskModel) -> None:
    """End the comparison of another model: the champion that it was compared with no longer serves."""
    other = session.exec(select(RiskModel).where(col(RiskModel.state).in_(BESIDE))).first()
    if other is None or other.uuid == champion.uuid:
        return
    other.trial = terms.ended(other.trial, "stopped")
    other.state, other.state_changed_at = "candidate", now()
    session.add(other)
    session.flush()
    note_event(session, other, "trial_ended", "another model became the champion", facts={"result": "stopped"})


def approve(session: TenantSession, uuid: UUID, note: str) -> RiskModel:
    """Record that somebody has looked at a model and its card, and that it may be promoted.

    Raises:
        NotFound: there is no such model.
        Conflict: it could not be trained.
    """
    row = _locked(session, uuid)
    if row.state == "failed":
        raise _cannot(phrase("model {version} could not be trained", version=row.version))
    note_event(session, row, "approved", note)
    return row


def retire(session: TenantSession, uuid: UUID, note: str) -> RiskModel:
    """Retire a model that is not the champion: its comparison ends, and pages no longer offer it.

    Raises:
        NotFound: there is no such model.
        Conflict: it is the champion, or could not be trained.
    """
    repository.lock(session, LOCK)
    row = _locked(session, uuid)
    if row.state in (CHAMPION, "failed"):
        raise _cannot(
            phrase(
                "model {version} cannot be retired as it is {state}", version=row.version, state=shown_state(row.state)
            )
        )
    if row.state != "retired":
        row.state, row.state_changed_at = "retired", now()
        row.trial = terms.ended(row.trial, "stopped")
        session.add(row)
        note_event(session, row, "retired", note)
    return row


def former_champion(session: TenantSession) -> RiskModel | None:
    """The model to which a roll-back returns."""
    champion = repository.preferred_model(session)
    if champion is None:
        return None
    promotion = session.exec(
        select(ModelEvent)
        .where(
            ModelEvent.model_uuid == champion.uuid,
            col(ModelEvent.action) == "promoted",
            col(ModelEvent.former_uuid).is_not(None),
        )
        .order_by(col(ModelEvent.happened_at).desc())
        .limit(1)
    ).first()
    if promotion is not None and promotion.former_uuid is not None:
        return session.get(RiskModel, promotion.former_uuid)
    # A champion from before the registry has no event: its predecessor is the model that was retired last before it.
    earlier = (
        select(RiskModel)
        .where(
            RiskModel.state == "retired",
            col(RiskModel.state_changed_at) <= champion.state_changed_at,
            or_(col(RiskModel.plugin) == naive.NAME, col(RiskModel.gates)["passed"].as_boolean()),
        )
        .order_by(col(RiskModel.state_changed_at).desc(), col(RiskModel.trained_at).desc())
        .limit(1)
    )
    return session.exec(earlier).first()


def events(session: TenantSession, model: UUID | None = None, most: int = MOST_EVENTS) -> Sequence[ModelEvent]:
    """What happened to one model, or to all, the newest first."""
    query = select(ModelEvent).order_by(col(ModelEvent.happened_at).desc(), col(ModelEvent.uuid).desc()).limit(most)
    if model is not None:
        query = query.where(ModelEvent.model_uuid == model)
    return session.exec(query).all()


def note_event(
    session: TenantSession,
    row: RiskModel,
    action: str,
    note: str = "",
    *,
    former: UUID | None = None,
    facts: dict[str, Any] | None = None,
) -> None:
    """Record what happened to a model, in its history and in the audit."""
    event = ModelEvent(
        model_uuid=row.uuid,
        version=row.version,
        action=action,
        former_uuid=former,
        actor=session.actor,
        note=note,
        facts=facts or {},
    )
    session.add(event)
    session.flush()
    audit.record(session, f"risk:model:{AUDITED[action]}", "model", row.uuid, {"version": row.version})


AUDITED: Final = {
    "approved": "approve",
    "promoted": "promote",
    "rolled_back": "roll_back",
    "retired": "retire",
    "trial_started": "start_trial",
    "trial_ended": "end_trial",
}
"""Action of an event -> that of the audit."""


def shown_state(state: str) -> str:
    """The state in the words of the API."""
    return "champion" if state == CHAMPION else state


def _require_promotable(session: TenantSession, row: RiskModel) -> None:
    if row.state == "failed" or row.plugin == naive.NAME or not row.gates.get("passed"):
        raise _cannot(
            phrase("model {version} did not pass its gates: {why}", version=row.version, why=_failed_gates(row)),
            remedy="promote a model that passed its gates; its card lists them",
        )
    if (row.trial or {}).get("result") == "worse":
        raise _cannot(
            phrase("model {version} was worse than the champion where both were compared", version=row.version),
            remedy="keep the champion, or train again",
        )
    if tenant_settings.get(session, RiskSettings).approval and not _is_approved(session, row):
        raise _cannot(
            phrase("model {version} has no approval by somebody else", version=row.version),
            remedy="ask another person with the permission models.promote to approve it",
        )


def _is_approved(session: TenantSession, row: RiskModel) -> bool:
    query = select(ModelEvent).where(
        ModelEvent.model_uuid == row.uuid, ModelEvent.action == "approved", ModelEvent.actor != session.actor
    )
    return session.exec(query.limit(1)).first() is not None


def _failed_gates(row: RiskModel) -> str:
    gates = [
        f"{name} ({gate['why']})" for name, gate in row.gates.items() if isinstance(gate, dict) and not gate["passed"]
    ]
    return "; ".join(gates) or str(row.gates.get("why", ""))


def _require_readable(tenant: TenantRef, open_session: SessionOpener, uuid: UUID) -> None:
    """Read the model as scoring would, outside of a transaction.

    Raises:
        Conflict: its file or its signature is not right, or the platform cannot run it.
    """
    with open_session() as session:
        row = repository.get_model(session, uuid)
        session.expunge(row)
    if row.state == "failed":
        return  # its gates say why
    try:
        serving.load(tenant, row)
    except ModelFailed as error:
        raise _cannot(error.detail, remedy=error.remedy) from error


def _locked(session: TenantSession, uuid: UUID) -> RiskModel:
    row = session.get(RiskModel, uuid, with_for_update=True, populate_existing=True)
    return row if row is not None else repository.get_model(session, uuid)


def _no_former() -> Conflict:
    return _cannot(phrase("no other model has scored before"), remedy="promote another model instead")


def _cannot(detail: str, remedy: str | None = None) -> Conflict:
    return Conflict(detail, remedy=remedy) if remedy else Conflict(detail)
