"""The log of models that failed while they scored, for the author of their plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from core.errors import AppError
from core.plugins.filling import storable
from core.plugins.instance_models import PluginFailure
from core.plugins.usable_instances import MOST_OUTPUT
from plugins.sdk.http_types import MOST_TEXT

if TYPE_CHECKING:
    from collections.abc import Collection

    from core.database import TenantSession


def log_model_failure(
    session: TenantSession, model: str, version: str, operation: str, error: BaseException | None
) -> None:
    """Write a failure of a model into the log of its plugin, without the text of an error that the platform caught.

    Args:
        session: a transaction of the tenant.
        model: the kind of model.
        version: the model that failed.
        operation: what it was to do, such as ``score``.
        error: what it raised.
    """
    reason = error.detail if isinstance(error, AppError) else type(error).__name__
    output = str(getattr(error, "output", ""))
    row = PluginFailure(
        model=model,
        operation=operation,
        reason=storable(f"{version}: {reason}")[:MOST_TEXT],
        output=storable(output)[-MOST_OUTPUT:],
    )
    session.add(row)
    session.flush()


def list_model_failures(session: TenantSession, models: Collection[str], most: int) -> list[PluginFailure]:
    """Return the newest failures of these kinds of model, newest first."""
    query = select(PluginFailure).where(col(PluginFailure.model).in_(models))
    return list(session.exec(query.order_by(col(PluginFailure.at).desc(), col(PluginFailure.id).desc()).limit(most)))
