"""Third-party models with the interface of first-party ones (``ModelPlugin``, ``FittedModel``).

Each call runs in a process of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

import numpy as np

from core.plugins.artifacts import pack, unpack
from core.plugins.errors import ArtifactRejected, PluginFailed
from core.plugins.exchange import ARTIFACT, MATRIX, RESULT, read_array, read_bytes, write_array, write_data
from core.plugins.process import MEMORY_BYTES, Limits, private_folder, run
from plugins.sdk import Artifact, BadDataError, Explanation, FeatureSpec, FloatArray, Json, TrainingData, check_matrix

FIT_SECONDS = 900.0
SCORE_SECONDS = 120.0
DESCRIBE_SECONDS = 30.0
BYTES_PER_INPUT_BYTE = 8
"""Bytes of memory that a process gets for each byte of its data, because plugins copy the data."""


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A kind of model that runs only in its own process."""

    plugin: EntryPoint
    name: str
    version: str

    def fit(
        self,
        data: TrainingData,
        params: Mapping[str, Json],
        seed: int,
        seconds: float = FIT_SECONDS,
        memory_bytes: int | None = None,
    ) -> Artifact:
        """Fit, and give back the verified artifact.

        Raises:
            Invalid: the plugin rejected the data or a parameter.
            PluginFailed: it raised, died, timed out, or gave something that is not an artifact.
        """
        size = data.X.nbytes + (0 if data.X_val is None else data.X_val.nbytes)
        limits = Limits(seconds, memory_bytes or MEMORY_BYTES + BYTES_PER_INPUT_BYTE * size)
        with private_folder() as folder:
            request = self._request("fit", features=write_data(folder, data), params=dict(params), seed=seed)
            run(folder, self.plugin.name, request, limits)
            try:
                return unpack(read_bytes(folder / ARTIFACT))
            except (OSError, ArtifactRejected) as error:
                reason = error.detail if isinstance(error, ArtifactRejected) else "there is none"
                detail = f"plugin {self.plugin.name!r} gave no artifact that can be used: {reason}"
                raise PluginFailed(detail) from error

    def load(self, artifact: Artifact) -> RemoteFittedModel:
        """Read a model back, in its own process.

        Raises:
            PluginFailed: the plugin cannot read it, or describes it wrongly.
        """
        with private_folder() as folder:
            (folder / ARTIFACT).write_bytes(pack(artifact))
            described = run(folder, self.plugin.name, self._request("load"), Limits(SCORE_SECONDS))
        try:
            features = tuple(FeatureSpec.from_json(feature) for feature in described["features"])
            facts = dict(described["summary"])
        except (KeyError, TypeError, ValueError) as error:
            detail = f"plugin {self.plugin.name!r} describes its model wrongly"
            raise PluginFailed(detail) from error
        return RemoteFittedModel(self, artifact, features, facts)

    def score(
        self, operation: str, artifact: Artifact, matrix: FloatArray, shape: tuple[int, ...]
    ) -> tuple[Any, FloatArray]:
        """Predict or explain in the model's own process. Return the reply and the array.

        Raises:
            PluginFailed: it raised, died, timed out, or wrote no array of this shape with finite numbers.
        """
        with private_folder() as folder:
            (folder / ARTIFACT).write_bytes(pack(artifact))
            write_array(folder / MATRIX, matrix)
            limits = Limits(SCORE_SECONDS, MEMORY_BYTES + BYTES_PER_INPUT_BYTE * matrix.nbytes)
            reply = run(folder, self.plugin.name, self._request(operation), limits)
            try:
                array = read_array(folder / RESULT, shape)
            except (OSError, ValueError, EOFError) as error:
                detail = f"plugin {self.plugin.name!r} gave no array of shape {shape}"
                raise PluginFailed(detail) from error
        if not np.isfinite(array).all():
            detail = f"plugin {self.plugin.name!r} gave numbers that are not finite"
            raise PluginFailed(detail)
        return reply, array

    def _request(self, operation: str, **arguments: Json) -> dict[str, Json]:
        return {
            "operation": operation,
            "plugin": self.plugin.name,
            "reference": self.plugin.value,
            "model": self.name,
            **arguments,
        }


@dataclass(frozen=True, slots=True)
class RemoteFittedModel:
    """A third-party model that can score. Every call starts a process: pass many rows at once."""

    model: RemoteModel
    artifact: Artifact
    features: tuple[FeatureSpec, ...]
    facts: Mapping[str, Json]

    def predict(self, X: FloatArray) -> FloatArray:  # noqa: N803 - the contract's name
        """Probability of interruption (n,).

        Raises:
            PluginFailed: as :meth:`RemoteModel.score`, or a value is not a probability.
        """
        matrix = self._matrix(X)
        probabilities = self.model.score("predict", self.artifact, matrix, (len(matrix),))[1]
        if not ((probabilities > 0) & (probabilities < 1)).all():
            detail = f"plugin {self.model.plugin.name!r} gave values that are not probabilities"
            raise PluginFailed(detail)
        return probabilities

    def explain(self, X: FloatArray) -> Explanation:  # noqa: N803
        """Return each feature's contribution to the log-odds (n, p).

        Raises:
            PluginFailed: as :meth:`RemoteModel.score`, or the base is not a number.
        """
        matrix = self._matrix(X)
        reply, contributions = self.model.score("explain", self.artifact, matrix, matrix.shape)
        base = reply.get("base") if isinstance(reply, dict) else None
        if not isinstance(base, float) or not np.isfinite(base):
            detail = f"plugin {self.model.plugin.name!r} gave an explanation without a base"
            raise PluginFailed(detail)
        return Explanation(base=base, contributions=contributions)

    def summary(self) -> Mapping[str, Json]:
        """Facts for the model card."""
        return dict(self.facts)

    def _matrix(self, X: FloatArray) -> FloatArray:  # noqa: N803
        if not self.features:
            message = "the model has no features"
            raise BadDataError(message)
        return check_matrix(X, len(self.features))


def describe(plugin: EntryPoint) -> list[RemoteModel]:
    """Return the models of a third-party plugin. Runs the plugin in its own process.

    Raises:
        PluginFailed: it cannot be imported, or gives no list of models.
    """
    request = {"operation": "describe", "plugin": plugin.name, "reference": plugin.value}
    with private_folder() as folder:
        described = run(folder, plugin.name, request, Limits(DESCRIBE_SECONDS))
    try:
        return [RemoteModel(plugin, str(entry["name"]), str(entry["version"])) for entry in described]
    except (KeyError, TypeError) as error:
        detail = f"plugin {plugin.name!r} gives no list of models"
        raise PluginFailed(detail) from error


def describe_elsewhere(plugin: EntryPoint) -> list[dict[str, Json]]:
    """Return what a third-party plugin offers besides models, unchecked. Runs the plugin in its own process.

    Raises:
        PluginFailed: it cannot be imported, or gives no list.
    """
    request = {"operation": "offers", "plugin": plugin.name, "reference": plugin.value}
    with private_folder() as folder:
        described = run(folder, plugin.name, request, Limits(DESCRIBE_SECONDS))
    if not isinstance(described, list) or not all(isinstance(entry, dict) for entry in described):
        detail = f"plugin {plugin.name!r} gives no list of what it offers"
        raise PluginFailed(detail)
    return described
