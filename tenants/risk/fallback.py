"""Which model scores when the preferred one fails: an earlier one that passed its gates, else the naive rule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tenants.risk import repository, serving
from tenants.risk.failures import ModelFailed

if TYPE_CHECKING:
    from collections.abc import Container

    from core.database import SessionOpener, TenantRef
    from tenants.risk.models import RiskModel
    from tenants.risk.serving import Serving


def scoring_model(tenant: TenantRef, open_session: SessionOpener) -> Serving:
    """The preferred model, or the one that stands in where the preferred one cannot be read."""
    with open_session() as session:
        row = serving.preferred(session)
    if row is None:
        return serving.untrained()
    try:
        return serving.load(tenant, row)
    except ModelFailed as error:
        return stand_in(tenant, open_session, row, error)


def stand_in(
    tenant: TenantRef, open_session: SessionOpener, failed: RiskModel, error: ModelFailed, tried: Container[str] = ()
) -> Serving:
    """The newest model of another plugin that passed its gates and can be read, else the naive rule.

    Models whose version is in ``tried`` have failed already.

    The failure is recorded with the model that failed, and told in the note of whatever the other scores.
    """
    with open_session() as session:
        repository.note_failure(session, failed.uuid, error.detail)
        others = repository.passed_models(session, failed.plugin)
        rule = repository.newest_rule(session)
    notice = f"The preferred model {failed.version} failed, so another scored in its place ({error.detail})."
    for row in others:
        if row.version in tried:
            continue
        try:
            return replace(serving.load(tenant, row), notice=notice)
        except ModelFailed as other:
            with open_session() as session:
                repository.note_failure(session, row.uuid, other.detail)
    found = serving.untrained() if rule is None else serving.load(tenant, rule)
    return replace(found, notice=notice)
