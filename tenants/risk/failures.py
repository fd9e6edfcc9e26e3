"""Contain a model that fails: the error names the model and its task, and the other models continue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from core.errors import AppError, phrase
from core.plugins.errors import PluginFailed
from core.plugins.manager import count_failure
from core.plugins.model_failures import log_model_failure
from tenants.risk import repository

if TYPE_CHECKING:
    from core.database import TenantSession
    from tenants.risk.models import RiskModel


class ModelFailed(PluginFailed):
    """A model raised an error, returned something unusable, or is not readable.

    Attributes:
        doing: what the model was to do, such as ``score``; empty if the platform did not call it.
    """

    title = "A model failed"
    doing = ""


@contextmanager
def contained(model: str, doing: str) -> Iterator[None]:
    """Turn any error of a model into :class:`ModelFailed`, counted and logged.

    Put only calls of the model inside: an error of our own code would be blamed on the model.
    """
    try:
        yield
    except ModelFailed:
        raise
    except Exception as error:
        count_failure(model, doing, error)
        reason = error.detail if isinstance(error, AppError) else type(error).__name__
        detail = phrase("model {model} failed to {doing}: {reason}", model=model, doing=doing, reason=reason)
        failed = ModelFailed(detail)
        failed.doing = doing
        raise failed from error


def note_failure(session: TenantSession, row: RiskModel, error: ModelFailed) -> None:
    """Store with a model why it failed to score, and in the log of its plugin if the platform called it."""
    repository.note_failure(session, row.uuid, error.detail)
    if error.doing:
        log_model_failure(session, row.plugin, row.version, error.doing, error.__cause__)
