"""Third-party models with the interface of first-party ones (``ModelPlugin``, ``FittedModel``).

Each fit runs in a process of its own, with memory for its data, and ends with it. What a fitted model computes, it
computes in the plugin's process of the tenant, which is kept while it is used (:mod:`core.plugins.hosts`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, Final, TypeVar
from uuid import UUID, uuid4

import numpy as np

from core import tracing
from core.database import require_none
from core.errors import FieldError, Invalid
from core.plugins import hosts, permissions
from core.plugins.artifacts import pack, unpack
from core.plugins.errors import ArtifactRejected, CallFailedError, PluginFailed
from core.plugins.exchange import ARTIFACT, array_bytes, read_array, read_bytes, write_data
from core.plugins.plugin_process import PluginProcess
from core.plugins.process import BAD_DATA, MEMORY_BYTES, Limits, private_folder, run
from core.resilience import seconds_left
from plugins.sdk import Artifact, BadDataError, Explanation, FeatureSpec, FloatArray, Json, TrainingData, check_matrix

T = TypeVar("T")

FIT_SECONDS = 900.0
DESCRIBE_SECONDS = 30.0
NO_TENANT: Final = UUID(int=0)
"""In place of a tenant, for models that no tenant asked for."""


@dataclass(frozen=True, slots=True)
class RemoteModel:
    """A kind of model that never runs in this process.

    Attributes:
        plugin: that offers it.
        tenant_id: whose process computes: a process of a third-party plugin serves one tenant only.
    """

    plugin: EntryPoint
    name: str
    version: str
    tenant_id: UUID = NO_TENANT

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
        limits = Limits(seconds, memory_bytes or MEMORY_BYTES + hosts.BYTES_PER_INPUT_BYTE * size)
        with private_folder() as folder:
            request = {
                "operation": "fit",
                "plugin": self.plugin.name,
                "reference": self.plugin.value,
                "model": self.name,
                "features": write_data(folder, data),
                "params": dict(params),
                "seed": seed,
            }
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
            Invalid: the plugin rejected the artifact's data.
            PluginFailed: the plugin cannot read it, or describes it wrongly.
        """
        packed = pack(artifact)
        stored = StoredModel(packed, f"{self.name} {hashlib.sha256(packed).hexdigest()}")
        described = self.ask("load", stored, lambda process, request: process.ask(request, _seconds()))
        try:
            features = tuple(FeatureSpec.from_json(feature) for feature in described["features"])
            facts = dict(described["summary"])
        except (KeyError, TypeError, ValueError) as error:
            detail = f"plugin {self.plugin.name!r} describes its model wrongly"
            raise PluginFailed(detail) from error
        return RemoteFittedModel(self, stored, features, facts)

    def score(
        self, operation: str, stored: StoredModel, matrix: FloatArray, shape: tuple[int, ...]
    ) -> tuple[Any, FloatArray]:
        """Predict or explain in the model's own process. Return the reply and the array.

        Raises:
            Invalid: the plugin rejected the matrix.
            PluginFailed: it raised, died, timed out, or wrote no array of this shape with finite numbers.
        """

        def work(process: PluginProcess, request: dict[str, Any]) -> tuple[Any, FloatArray]:
            result = process.folder / f"{uuid4().hex}.npy"
            rows = process.write(array_bytes(matrix), ".npy")
            try:
                reply = process.ask({**request, "matrix": rows.name, "result": result.name}, _seconds())
                return reply, read_array(result, shape)
            except (OSError, ValueError, EOFError) as error:
                detail = f"plugin {self.plugin.name!r} gave no array of shape {shape}"
                raise PluginFailed(detail) from error
            finally:
                rows.unlink(missing_ok=True)
                result.unlink(missing_ok=True)

        reply, array = self.ask(operation, stored, work)
        if not np.isfinite(array).all():
            detail = f"plugin {self.plugin.name!r} gave numbers that are not finite"
            raise PluginFailed(detail)
        return reply, array

    def ask(self, operation: str, stored: StoredModel, work: Callable[[PluginProcess, dict[str, Any]], T]) -> T:
        """Let the plugin's process of the tenant do some work with a stored model, which it loads if need be.

        Args:
            operation: ``load``, ``predict`` or ``explain``.
            stored: the model.
            work: sends the request that it gets, completed.

        Raises:
            Invalid: the plugin rejected the data.
            PluginFailed: it raised, died, took too long, has failed so often that it is not called for a while, or is
                no longer allowed for the tenant.
            TransactionOpenError: a transaction is open.
        """
        plugin = self.plugin.name
        require_none(f"plugin {plugin!r} was called")
        if self.tenant_id != NO_TENANT and not permissions.is_allowed(plugin, self.tenant_id):
            detail = f"plugin {plugin!r} is no longer allowed"  # a loaded model outlives the operator's choice
            raise PluginFailed(detail)

        def with_model(process: PluginProcess) -> T:
            request = {
                "id": uuid4().hex,
                "plugin": plugin,
                "reference": self.plugin.value,
                "kind": "model",
                "name": self.name,
                "method": operation,
                "artifact": "",
            }
            if process.model == stored.key:
                return _with_bad_data(plugin, lambda: work(process, request))
            process.model = ""
            file = process.write(stored.packed, ".zip")
            try:
                result = _with_bad_data(plugin, lambda: work(process, {**request, "artifact": file.name}))
            finally:
                file.unlink(missing_ok=True)
            process.model = stored.key
            return result

        def with_files(process: PluginProcess) -> T:
            try:
                return with_model(process)
            except OSError as error:  # the plugin owns the folder, and may have put something in a file's place
                process.in_doubt = True
                detail = f"files cannot be exchanged with plugin {plugin!r}: {type(error).__name__}"
                raise PluginFailed(detail) from error

        try:
            with tracing.span(f"plugin {plugin}", iit_plugin=plugin, iit_plugin_operation=operation):
                result = hosts.run_in_process(hosts.Host(plugin, self.tenant_id, models=True), with_files)
        except PluginFailed:
            hosts.CALLS.add(self.name, "failed")
            raise
        hosts.CALLS.add(self.name, "done")
        return result


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A fitted model as it is stored.

    Attributes:
        packed: its artifact.
        key: names it and its content.
    """

    packed: bytes
    key: str


@dataclass(frozen=True, slots=True)
class RemoteFittedModel:
    """A third-party model that can score. Each call writes files and waits for a process: pass many rows at once."""

    model: RemoteModel
    stored: StoredModel
    features: tuple[FeatureSpec, ...]
    facts: Mapping[str, Json]

    def predict(self, X: FloatArray) -> FloatArray:  # noqa: N803 - the contract's name
        """Probability of interruption (n,).

        Raises:
            PluginFailed: as :meth:`RemoteModel.score`, or a value is not a probability.
        """
        pieces = [self.model.score("predict", self.stored, each, (len(each),))[1] for each in self._pieces(X)]
        probabilities = np.concatenate(pieces)
        if not ((probabilities > 0) & (probabilities < 1)).all():
            detail = f"plugin {self.model.plugin.name!r} gave values that are not probabilities"
            raise PluginFailed(detail)
        return probabilities

    def explain(self, X: FloatArray) -> Explanation:  # noqa: N803
        """Return each feature's contribution to the log-odds (n, p).

        Raises:
            PluginFailed: as :meth:`RemoteModel.score`, or the base is not one number.
        """
        answers = [self.model.score("explain", self.stored, each, each.shape) for each in self._pieces(X)]
        base, *others = [reply.get("base") if isinstance(reply, dict) else None for reply, _ in answers]
        if not isinstance(base, float) or not np.isfinite(base) or any(other != base for other in others):
            detail = f"plugin {self.model.plugin.name!r} gave an explanation without a base"
            raise PluginFailed(detail)
        return Explanation(base=base, contributions=np.concatenate([each for _, each in answers]))

    def summary(self) -> Mapping[str, Json]:
        """Facts for the model card."""
        return dict(self.facts)

    def _pieces(self, X: FloatArray) -> list[FloatArray]:  # noqa: N803
        """Return the rows in matrices of ``MATRIX_BYTES`` at most: a row's score depends on no other row."""
        if not self.features:
            message = "the model has no features"
            raise BadDataError(message)
        matrix = check_matrix(X, len(self.features))
        rows = max(1, hosts.MATRIX_BYTES // (8 * len(self.features)))
        return [matrix[begin : begin + rows] for begin in range(0, max(1, len(matrix)), rows)]


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


def _seconds() -> float:
    """Return the seconds of one call: the limit, or what is left of the deadline of the request or job."""
    return seconds_left(hosts.MODEL_SECONDS)


def _with_bad_data(plugin: str, work: Callable[[], T]) -> T:
    """Return what the work returns. If the plugin rejected the data, that is no failure of it."""
    try:
        return work()
    except CallFailedError as error:
        if error.error != BAD_DATA:
            raise
        detail = f"plugin {plugin!r} cannot use this: {error.message}"
        raise Invalid(detail, errors=[FieldError("params", error.message)]) from None
