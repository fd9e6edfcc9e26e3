"""Contain a model that fails: the error names the model and its task, and the other models continue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import AppError, phrase
from core.plugins.errors import PluginFailed
from core.plugins.manager import count_failure


class ModelFailed(PluginFailed):
    """A model raised an error, returned something unusable, or is not readable."""

    title = "A model failed"


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
        raise ModelFailed(detail) from error
