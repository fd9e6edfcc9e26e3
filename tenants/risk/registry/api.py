"""Routes of the registry of models: promotion, approval, comparison, history."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from core.access import TenantDb, TenantScope, require
from core.errors import NotFound
from core.identity import Principal
from core.web.paging import PAGE_SIZE_MAX
from tenants.risk import repository
from tenants.risk.models import RiskModel
from tenants.risk.registry import lifecycle, trials
from tenants.risk.registry.schemas import ModelEventOut, ModelNote, ModelTrial, TrialPost
from tenants.risk.schemas import ModelOut

router = APIRouter(prefix="/risk/models", tags=["risk"])

RiskRead = Annotated[Principal, Depends(require("risk.read"))]
Promoter = Annotated[Principal, Depends(require("models.promote"))]


@router.post("/roll-back", operation_id="roll_back_model", summary="Roll back to the model that scored before")
def roll_back_model(_: Promoter, scope: TenantScope, body: ModelNote) -> ModelOut:
    """Let the former champion score from the next scoring on. Its file and signature are verified first."""
    return _shown(lifecycle.roll_back(scope.tenant, scope.session, body.note))


@router.post("/{model_id}/promotion", operation_id="promote_model", summary="Promote a model to champion")
def promote_model(_: Promoter, scope: TenantScope, model_id: UUID, body: ModelNote) -> ModelOut:
    """Let a model that passed its gates score from the next scoring on, and the former champion beside it for a while.

    If the new champion fails or does certainly worse in these days, the former one scores again by itself.
    """
    return _shown(lifecycle.promote(scope.tenant, scope.session, model_id, body.note))


@router.post("/{model_id}/approval", operation_id="approve_model", summary="Approve a model")
def approve_model(_: Promoter, db: TenantDb, model_id: UUID, body: ModelNote) -> ModelOut:
    """Record that the caller has looked at the model's card and that it may be promoted."""
    return _shown(lifecycle.approve(db, model_id, body.note))


@router.post("/{model_id}/retirement", operation_id="retire_model", summary="Retire a model that does not score")
def retire_model(_: Promoter, db: TenantDb, model_id: UUID, body: ModelNote) -> ModelOut:
    """End the model's comparison, if it is in one, and offer it no more."""
    return _shown(lifecycle.retire(db, model_id, body.note))


@router.put("/{model_id}/trial", operation_id="start_model_trial", summary="Compare a model with the champion")
def start_model_trial(_: Promoter, db: TenantDb, model_id: UUID, body: TrialPost) -> ModelTrial:
    """Begin a comparison. One model at a time can be compared.

    A shadow scores everybody beside the champion, at no effect. In an `ab`, chance gives the model a share of the
    facilities; the number of decisions that the comparison needs is stated in the answer, before it begins.
    """
    if body.kind == "shadow":
        return ModelTrial.of(trials.start_shadow(db, model_id))
    plan = trials.Plan(**body.model_dump(exclude={"kind"}))
    return ModelTrial.of(trials.start_serving(db, model_id, plan))


@router.get("/{model_id}/trial", operation_id="get_model_trial", summary="Get how a model compares with the champion")
def get_model_trial(_: RiskRead, db: TenantDb, model_id: UUID) -> ModelTrial:
    """Return the terms and the figures of the model's running or last comparison."""
    row = repository.get_model(db, model_id)
    if not row.trial:
        detail = "the model was never compared"
        raise NotFound(detail, remedy="begin with PUT on the same address")
    return ModelTrial.of(row)


@router.delete("/{model_id}/trial", operation_id="stop_model_trial", status_code=204, summary="End a comparison")
def stop_model_trial(_: Promoter, db: TenantDb, model_id: UUID) -> None:
    """End a shadow's or a challenger's comparison: the champion serves everybody."""
    trials.stop(db, model_id, "")


@router.get("/{model_id}/events", operation_id="list_model_events", summary="List what happened to a model")
def list_model_events(_: RiskRead, db: TenantDb, model_id: UUID) -> list[ModelEventOut]:
    """Return approvals, promotions, comparisons and roll-backs, the newest first."""
    repository.get_model(db, model_id)
    return [ModelEventOut.model_validate(row) for row in lifecycle.events(db, model_id, PAGE_SIZE_MAX)]


def _shown(row: RiskModel) -> ModelOut:
    return ModelOut.model_validate(row)
