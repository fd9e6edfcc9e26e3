"""Fitting, always in a separate process, also for first-party plugins."""

from __future__ import annotations

from collections.abc import Mapping

from core.errors import Invalid
from core.plugins import manager
from core.plugins.errors import PluginFailed
from core.plugins.remote import FIT_SECONDS, RemoteModel
from plugins.sdk import Artifact, Json, TrainingData


def fit_in_process(
    plugin_name: str,
    data: TrainingData,
    params: Mapping[str, Json],
    seed: int,
    timeout: float = FIT_SECONDS,
    *,
    memory_bytes: int | None = None,
) -> Artifact:
    """Fit a model in a process that is killed at its limits, and return the verified artifact.

    Args:
        plugin_name: name of the model, a key of :func:`core.plugins.models`.
        data: the training data; the process gets them as files in a private folder.
        params: the plugin's parameters, as JSON.
        seed: the same data, params and seed give the same predictions.
        timeout: seconds until the process, and every process that it started, is killed.
        memory_bytes: address space; 4 GiB and eight times the data when None.

    Raises:
        NotFound: no installed plugin offers this model.
        Invalid: the plugin rejected the data or a parameter.
        PluginTimedOut: it was killed at its time limit.
        PluginFailed: it raised, died, or returned something that is not an artifact.
    """
    model = manager.model(plugin_name)
    remote = RemoteModel(manager.origin(plugin_name), model.name, model.version)
    try:
        return remote.fit(data, params, seed, timeout, memory_bytes)
    except Invalid:
        raise
    except PluginFailed as error:
        manager.count_failure(remote.plugin.name, "fit", error)
        raise
