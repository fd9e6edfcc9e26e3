"""Models in the kept process of their plugin: the last one stays loaded, and computes one matrix after the other."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np

from core.plugins.artifacts import unpack
from core.plugins.exchange import write_array
from core.plugins.manager import call_iit_models


class LoadedModel:
    """The model that this process has loaded; none at first."""

    def __init__(self) -> None:
        self._fitted: Any = None

    def perform(self, point: EntryPoint, request: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Load the artifact that the request names, if it names one, then do what the request asks.

        Args:
            point: of the plugin.
            request: ``name`` of the model; ``method``: ``load``, ``predict`` or ``explain``; files of the process's
                folder: ``artifact`` if another model is loaded, ``matrix`` and ``result``.

        Raises:
            Exception: whatever the plugin raises.
        """
        if request["artifact"]:
            self._fitted = None
            artifact = unpack(Path(request["artifact"]).read_bytes())
            self._fitted = find_model(point, request["name"]).load(artifact)
        if request["method"] == "load":
            features = [feature.to_json() for feature in self._fitted.features]
            return {"features": features, "summary": dict(self._fitted.summary())}
        matrix = np.load(request["matrix"], allow_pickle=False)
        if request["method"] == "predict":
            write_array(Path(request["result"]), np.asarray(self._fitted.predict(matrix), dtype=np.float64))
            return None
        explanation = self._fitted.explain(matrix)
        write_array(Path(request["result"]), np.asarray(explanation.contributions, dtype=np.float64))
        return {"base": float(explanation.base)}


def find_model(point: EntryPoint, name: str) -> Any:  # noqa: ANN401 - it is not known to be a model until it has behaved as one
    """Import a plugin in this process and return its model of this name.

    Raises:
        LookupError: it offers none.
    """
    for model in call_iit_models(point):
        if model.name == name:
            return model
    message = f"the plugin gives no model named {name!r}"
    raise LookupError(message)
