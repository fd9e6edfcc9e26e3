"""A model that fails is contained: the error names the model and what it was asked for, the others go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from core.errors import AppError
from core.plugins.errors import PluginFailed
from core.plugins.manager import count_failure


class ModelFailed(PluginFailed):
    """A model raised, gave something that cannot be used, or cannot be read back."""

    title = "A model did not do its work"


@contextmanager
def contained(model: str, doing: str) -> Iterator[None]:
    """Turn whatever a model raises into :class:`ModelFailed`, counted and logged.

    Only calls of the model belong inside: an error of our own would be blamed on it.
    """
    try:
        yield
    except ModelFailed:
        raise
    except Exception as error:
        count_failure(model, doing, error)
        why = error.detail if isinstance(error, AppError) else type(error).__name__
        detail = f"model {model} failed to {doing}: {why}"
        raise ModelFailed(detail) from error
