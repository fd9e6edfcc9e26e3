"""Pages of models: the champion, the comparison with a challenger, every model's card, and what changed."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Form
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.access import Scope, TenantScope, require
from core.access.pages import Page, PageContext
from core.errors import AppError, Conflict, Invalid
from core.identity import Principal
from core.web.pages import SEE_OTHER
from core.web.problem_texts import problem_text
from tenants.portal import model_view as views
from tenants.portal.alert_counts import counts_for
from tenants.portal.model_card import card_pdf
from tenants.portal.model_words import state_words
from tenants.portal.watch_words import sections_of_watch
from tenants.risk import repository
from tenants.risk.registry import lifecycle, trials

router = APIRouter()

Reader = Annotated[Principal, Depends(require("risk.read"))]
Visitor = Annotated[Principal, Depends(require("cohort.read"))]
"""Whoever may open Programme, which leads here."""
Promoter = Annotated[Principal, Depends(require("models.promote"))]
Note = Annotated[str, Form(max_length=500)]
HOME: Final = "/programme/models"


@router.get("/programme/models")
def show_models(page: Page, _reader: Reader, _visitor: Visitor, scope: TenantScope, done: str = "") -> HTMLResponse:
    """Show the champion, the running comparison, the other models, and what changed."""
    return _models_page(page, scope, done=done)


@router.post("/programme/models/{model_id}/roll-back")
def post_roll_back(page: Page, _promoter: Promoter, scope: TenantScope, model_id: UUID, note: Note = "") -> Response:
    """Return to the model that scored before the champion that the person saw."""
    try:
        lifecycle.roll_back(scope.tenant, scope.session, note.strip(), champion=model_id)
    except Conflict as error:
        return _models_page(page, scope, error=error)
    return RedirectResponse(f"{HOME}?done=rolled-back", SEE_OTHER)


@router.get("/programme/models/{model_id}")
def show_model(
    page: Page, _reader: Reader, _visitor: Visitor, scope: TenantScope, model_id: UUID, done: str = ""
) -> HTMLResponse:
    """Show a model's card: what it came from, its figures, its gates, its comparison, its history."""
    return _model_page(page, scope, model_id, done=done)


@router.get("/programme/models/{model_id}/card.pdf")
def get_model_card(_reader: Reader, _visitor: Visitor, scope: TenantScope, model_id: UUID) -> Response:
    """Return a model's card as a PDF."""
    with scope.session() as session:
        row = repository.get_model(session, model_id)
        version, card, origin = row.version, row.card, row.lineage
    headers = {"Content-Disposition": f'attachment; filename="model-{version}.pdf"'}
    return Response(card_pdf(card, origin), media_type="application/pdf", headers=headers)


@router.post("/programme/models/{model_id}/promote")
def post_promotion(page: Page, _promoter: Promoter, scope: TenantScope, model_id: UUID, note: Note = "") -> Response:
    """Let a model score from the next scoring on."""
    try:
        lifecycle.promote(scope.tenant, scope.session, model_id, note.strip())
    except Conflict as error:
        return _model_page(page, scope, model_id, error=error)
    return RedirectResponse(f"{HOME}/{model_id}?done=promoted", SEE_OTHER)


@router.post("/programme/models/{model_id}/approve")
def post_approval(page: Page, _promoter: Promoter, scope: TenantScope, model_id: UUID, note: Note = "") -> Response:
    """Record that the person has looked at the card."""
    try:
        with scope.session() as session:
            lifecycle.approve(session, model_id, note.strip())
    except Conflict as error:
        return _model_page(page, scope, model_id, error=error)
    return RedirectResponse(f"{HOME}/{model_id}?done=approved", SEE_OTHER)


@router.post("/programme/models/{model_id}/compare")
def post_comparison(page: Page, _promoter: Promoter, scope: TenantScope, model_id: UUID, kind: Note = "") -> Response:
    """Let a model score beside the champion, or serve a share of the clinics."""
    try:
        with scope.session() as session:
            if kind == "ab":
                trials.start_serving(session, model_id, trials.Plan())
            else:
                trials.start_shadow(session, model_id)
    except (Conflict, Invalid) as error:
        return _model_page(page, scope, model_id, error=error)
    return RedirectResponse(f"{HOME}/{model_id}?done=compared", SEE_OTHER)


@router.post("/programme/models/{model_id}/stop")
def post_stop(page: Page, _promoter: Promoter, scope: TenantScope, model_id: UUID, note: Note = "") -> Response:
    """End the comparison of a model."""
    try:
        with scope.session() as session:
            trials.stop(session, model_id, note.strip())
    except Conflict as error:
        return _model_page(page, scope, model_id, error=error)
    return RedirectResponse(f"{HOME}/{model_id}?done=stopped", SEE_OTHER)


@router.post("/programme/models/{model_id}/retire")
def post_retirement(page: Page, _promoter: Promoter, scope: TenantScope, model_id: UUID, note: Note = "") -> Response:
    """Retire a model that does not score."""
    try:
        with scope.session() as session:
            lifecycle.retire(session, model_id, note.strip())
    except Conflict as error:
        return _model_page(page, scope, model_id, error=error)
    return RedirectResponse(f"{HOME}/{model_id}?done=retired", SEE_OTHER)


def _models_page(page: PageContext, scope: Scope, *, done: str = "", error: AppError | None = None) -> HTMLResponse:
    return page.render(
        "portal/models/index.html",
        scope.principal,
        status=200 if error is None else error.status,
        models=scope.read(views.read_models),
        done=done,
        problem="" if error is None else problem_text(error),
        **_shared(scope),
    )


def _model_page(
    page: PageContext, scope: Scope, model_id: UUID, *, done: str = "", error: AppError | None = None
) -> HTMLResponse:
    with scope.session() as session:
        row = repository.get_model(session, model_id)
        state = lifecycle.shown_state(row.state)
        word, level = state_words(state)
        shown: dict[str, Any] = {
            "id": row.uuid,
            "version": row.version,
            "state": state,
            "word": word,
            "level": level,
            "failure": row.failure,
            "passed": bool(row.gates.get("passed")),
            "figures": views.figure_rows(row.card),
            "groups": views.group_tables(row.card),
            "gates": views.gate_rows(row.gates),
            "why": row.gates.get("why", ""),
            "origin": views.origin_rows(row),
            "choice": row.card.get("choice", ""),
            "limits": row.card.get("limits", []),
            "has_card": "version" in row.card,
            "trial": views.trial_of(row) if row.trial else None,
            "events": views.event_rows(lifecycle.events(session, row.uuid)),
            "is_rule": row.plugin == "naive",
        }
    return page.render(
        "portal/models/model.html",
        scope.principal,
        status=200 if error is None else error.status,
        model=shown,
        done=done,
        problem="" if error is None else problem_text(error),
        **_shared(scope),
    )


def _shared(scope: Scope) -> dict[str, Any]:
    return {
        "partner": scope.tenant.name,
        "current": "/programme",
        "navigation_counts": counts_for(scope),
        "sections": sections_of_watch(HOME),
        "may_promote": "models.promote" in scope.principal.permissions,
    }
