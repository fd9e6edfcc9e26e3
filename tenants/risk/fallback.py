"""The model that scores when the preferred one fails: an earlier one that passed its gates, else the naive rule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.errors import phrase
from tenants.risk import repository, serving
from tenants.risk.failures import ModelFailed, note_failure
from tenants.risk.registry import canary
from tenants.risk.registry.beside import with_beside

if TYPE_CHECKING:
    from collections.abc import Container

    from core.database import SessionOpener, TenantRef
    from tenants.risk.models import RiskModel
    from tenants.risk.serving import ServingModel


def scoring_model(tenant: TenantRef, open_session: SessionOpener) -> ServingModel:
    """The preferred model, with the one beside it, or its fallback if the preferred one is not readable."""
    with open_session() as session:
        row = serving.preferred(session)
    if row is None:
        return serving.untrained()
    try:
        return with_beside(tenant, open_session, serving.load(tenant, row))
    except ModelFailed as error:
        return fallback_model(tenant, open_session, row, error)


def fallback_model(
    tenant: TenantRef, open_session: SessionOpener, failed: RiskModel, error: ModelFailed, tried: Container[str] = ()
) -> ServingModel:
    """The newest readable model of another plugin that passed its gates, else the naive rule.

    A champion that fails while its promotion is watched is rolled back: the former champion is returned. Models whose
    version is in ``tried`` have failed already. The failure is recorded with the failed model, and named in the note of
    the scores of the fallback.
    """
    with open_session() as session:
        note_failure(session, failed, error)
        rolled_back = canary.roll_back_failed(session, failed.uuid, error.detail)
    if rolled_back:
        return scoring_model(tenant, open_session)
    with open_session() as session:
        candidates = repository.passed_models(session, failed.plugin)
        rule = repository.newest_rule(session)
    notice = phrase(
        "The preferred model {version} failed, so another one scored instead ({problem}).",
        version=failed.version,
        problem=error.detail,
    )
    for row in candidates:
        if row.version in tried:
            continue
        try:
            return replace(serving.load(tenant, row), notice=notice)
        except ModelFailed as other:
            with open_session() as session:
                note_failure(session, row, other)
    return replace(_rule(tenant, rule), notice=notice)


def _rule(tenant: TenantRef, row: RiskModel | None) -> ServingModel:
    """The naive rule of a row; the rule before any training if there is no row, or it was changed."""
    try:
        return serving.untrained() if row is None else serving.load(tenant, row)
    except ModelFailed:
        return serving.untrained()
