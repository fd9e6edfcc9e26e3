"""The types that the platform and a model plugin exchange. None of them refers to a database, a file or a tenant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from plugins.sdk.json_types import Json

if TYPE_CHECKING:
    from plugins.sdk.artifact import Artifact

Kind = Literal["continuous", "count", "binary", "categorical"]
KINDS: tuple[str, ...] = get_args(Kind)
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
LabelArray = NDArray[np.int8]
TWO_DIMENSIONS = 2


class BadDataError(ValueError):
    """The matrix or the labels do not have the agreed shape, type or values."""


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One column of the matrix.

    Attributes:
        name: unique among the features, for example ``days_late_last``.
        kind: how to treat the numbers. A ``categorical`` column contains codes 0..k-1, positions in ``categories``.
        unit: ``days``, ``cells/mm3``, ``copies/mL``; empty if there is none.
        description: one sentence for people.
        source: the source of the definition.
        categories: the names of the codes of a ``categorical`` column.
        version: version of the definition, from 1. Features of the same name and version have the same values.
    """

    name: str
    kind: Kind
    unit: str = ""
    description: str = ""
    source: str = ""
    categories: tuple[str, ...] = ()
    version: int = 1

    def __post_init__(self) -> None:
        if not self.name:
            message = "a feature needs a name"
            raise BadDataError(message)
        if self.kind not in KINDS:
            message = f"feature {self.name!r} has kind {self.kind!r}: choose one of {', '.join(KINDS)}"
            raise BadDataError(message)
        if (self.kind == "categorical") != bool(self.categories):
            message = f"feature {self.name!r}: categories are given for a categorical feature, and only for one"
            raise BadDataError(message)
        if type(self.version) is not int or self.version < 1:
            message = f"feature {self.name!r}: its version must be a whole number from 1"
            raise BadDataError(message)

    def to_json(self) -> dict[str, Json]:
        """The feature as a JSON object."""
        return {
            "name": self.name,
            "kind": self.kind,
            "unit": self.unit,
            "description": self.description,
            "source": self.source,
            "categories": list(self.categories),
            "version": self.version,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> FeatureSpec:
        """Return the feature that :meth:`to_json` wrote. A feature without a version has version 1.

        Raises:
            BadDataError: a field is absent or of the wrong type.
        """
        try:
            categories = tuple(str(category) for category in value["categories"])
            texts = {key: str(value[key]) for key in ("name", "unit", "description", "source")}
            return cls(kind=value["kind"], categories=categories, version=value.get("version", 1), **texts)
        except (KeyError, TypeError) as error:
            message = f"not the description of a feature: {error}"
            raise BadDataError(message) from error


def check_matrix(X: ArrayLike, columns: int) -> FloatArray:
    """Return the matrix as C-ordered float64, after checking it.

    Args:
        X: shape (rows, columns). NaN is a missing value; infinity is an error.
        columns: the number of columns that the model was fitted on.

    Raises:
        BadDataError: wrong number of dimensions or columns, not numeric, or infinite values.
    """
    try:
        matrix = np.ascontiguousarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        message = f"X must be a matrix of numbers with {columns} columns: {error}"
        raise BadDataError(message) from error
    if np.ndim(X) != TWO_DIMENSIONS or matrix.shape[1] != columns:
        message = f"X must have shape (rows, {columns}), not {np.shape(X)}"
        raise BadDataError(message)
    if np.isinf(matrix).any():
        message = "X holds infinite values: use NaN for what is not known"
        raise BadDataError(message)
    return matrix


def _check_labels(name: str, labels: ArrayLike | None, rows: int) -> LabelArray:
    array = np.asarray(labels)
    if array.shape != (rows,):
        message = f"{name} must have shape ({rows},), not {array.shape}"
        raise BadDataError(message)
    if not np.isin(array, (0, 1)).all():
        message = f"{name} may hold only 0 and 1"
        raise BadDataError(message)
    return array.astype(np.int8)


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The data that a model is fitted on.

    Attributes:
        X: float64 (n, p), one row per prediction unit; NaN is an unknown value.
        y: int8 (n,); 1 if treatment was interrupted.
        group: int64 (n,), one number per patient, so that an inner split keeps each patient on one side.
        features: the columns, in order.
        X_val: float64 (m, p), later in time than ``X``, for early stopping and the choice of penalties.
        y_val: int8 (m,).

    Raises:
        BadDataError: a shape, a type or a value is wrong, or ``y`` has only one class.
    """

    X: FloatArray
    y: LabelArray
    group: IntArray
    features: tuple[FeatureSpec, ...]
    X_val: FloatArray | None = None
    y_val: LabelArray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "features", tuple(self.features))
        names = [feature.name for feature in self.features]
        if not names or len(set(names)) != len(names):
            message = "features need names that are unique, and there must be at least one"
            raise BadDataError(message)
        object.__setattr__(self, "X", check_matrix(self.X, len(names)))
        object.__setattr__(self, "y", _check_labels("y", self.y, len(self.X)))
        group = np.asarray(self.group)
        if group.shape != self.y.shape or group.dtype.kind not in "iu":
            message = f"group must hold one integer per row, shape {self.y.shape}"
            raise BadDataError(message)
        object.__setattr__(self, "group", group.astype(np.int64))
        positives = int(self.y.sum())
        if not 0 < positives < len(self.y):
            message = f"y needs both outcomes to learn from: {positives} of {len(self.y)} rows are 1"
            raise BadDataError(message)
        if (self.X_val is None) != (self.y_val is None):
            message = "X_val and y_val are given together"
            raise BadDataError(message)
        if self.X_val is not None:
            object.__setattr__(self, "X_val", check_matrix(self.X_val, len(names)))
            object.__setattr__(self, "y_val", _check_labels("y_val", self.y_val, len(self.X_val)))


@dataclass(frozen=True, slots=True)
class Explanation:
    """The reasons for the scores, in log-odds.

    Attributes:
        base: the log-odds of the average training row.
        contributions: float64 (n, p); ``base + contributions.sum(axis=1)`` is the raw log-odds of each row.
    """

    base: float
    contributions: FloatArray

    @property
    def log_odds(self) -> FloatArray:
        """Return the raw log-odds (n,): the sum of base and contributions."""
        return np.asarray(self.base + self.contributions.sum(axis=1), dtype=np.float64)


@runtime_checkable
class FittedModel(Protocol):
    """A model that was read from its artifact and can score."""

    @property
    def features(self) -> tuple[FeatureSpec, ...]:
        """The columns that the model was fitted on, in order."""
        ...

    def predict(self, X: FloatArray) -> FloatArray:
        """Probability of interruption, (n,), each in the open interval (0, 1)."""
        ...

    def explain(self, X: FloatArray) -> Explanation:
        """Return each feature's contribution to the log-odds of each row."""
        ...

    def summary(self) -> Mapping[str, Json]:
        """Facts for the model card, as JSON: penalty chosen, number of trees, base rate of the training data."""
        ...


@runtime_checkable
class ModelPlugin(Protocol):
    """A kind of model: fits it, and reads it back from its artifact."""

    @property
    def name(self) -> str:
        """Unique, lower case: ``additive``."""
        ...

    @property
    def version(self) -> str:
        """Version of the code that fits and reads; it is stored with every model."""
        ...

    def fit(self, data: TrainingData, params: Mapping[str, Json], seed: int) -> Artifact:
        """Fit a model and return it as an artifact. The same data, params and seed give the same predictions.

        Raises:
            BadDataError: the data or a parameter cannot be used.
        """
        ...

    def load(self, artifact: Artifact) -> FittedModel:
        """Read a model back, after verifying it.

        Raises:
            BadArtifactError: it is not what :meth:`fit` wrote.
        """
        ...


def feature_names(features: Sequence[FeatureSpec]) -> tuple[str, ...]:
    """The names of the columns, in order."""
    return tuple(feature.name for feature in features)
