"""Combinations of the plugins' models: their average, and a stack whose weights are learnt on later time.

Both add up in log-odds, so the reasons of the members, weighted, are the exact reasons of the combination.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from plugins.sdk import Artifact, BadArtifactError, Explanation, logit, seal, sigmoid, verify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from plugins.sdk import FeatureSpec, FittedModel, ModelPlugin

    Floats = npt.NDArray[np.float64]

PLUGIN: Final = "ensemble"
VERSION: Final = "1.0.0"
AVERAGE: Final = "ensemble-average"
STACK: Final = "ensemble-stack"
NAMES: Final = (AVERAGE, STACK)
FORMAT: Final = "iit-ensemble/1"
FILE: Final = "ensemble.json"
MOST_MEMBERS: Final = 8
LARGEST_WEIGHT: Final = 10.0
RIDGE: Final = 1.0
"""How strongly the weights of a stack are drawn to equal ones; it weighs as much as one decision."""
EDGE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Member:
    """A model of a combination: its kind, the version of its plugin, the model as data, and the fitted model."""

    kind: str
    version: str
    artifact: Artifact | None
    model: FittedModel


@dataclass(frozen=True, slots=True)
class CombinedModel:
    """Members whose log-odds are weighted and added.

    Attributes:
        members: the models, which take the same columns.
        weights: one weight for each member, 0 or more.
        intercept: log-odds to add.
    """

    members: tuple[Member, ...]
    weights: tuple[float, ...]
    intercept: float

    @property
    def features(self) -> tuple[FeatureSpec, ...]:
        """The columns, in order."""
        return tuple(self.members[0].model.features)

    def predict(self, X: Floats) -> Floats:
        """Probability (n,) of the rows of X (n, p)."""
        columns = [member_log_odds(member.model.predict(X)) for member in self.members]
        return combined(columns, self.weights, self.intercept)

    def explain(self, X: Floats) -> Explanation:
        """Contributions in log-odds: those of the members, weighted."""
        base, contributions = self.intercept, np.zeros(np.shape(X), dtype=np.float64)
        for member, weight in zip(self.members, self.weights, strict=True):
            own = member.model.explain(X)
            base += weight * own.base
            contributions += weight * own.contributions
        return Explanation(base=base, contributions=contributions)

    def summary(self) -> Mapping[str, Any]:
        """The members with their weights, and the intercept."""
        weights = {member.kind: weight for member, weight in zip(self.members, self.weights, strict=True)}
        return {"weights": weights, "intercept": self.intercept}

    def save(self) -> Artifact:
        """The combination as data: the files of all members, and one that lists them with their weights.

        Raises:
            BadArtifactError: a member has no artifact, or the whole is too large.
        """
        files: dict[str, bytes] = {}
        listed = []
        for number, (member, weight) in enumerate(zip(self.members, self.weights, strict=True)):
            if member.artifact is None:
                message = "a member of the combination has no artifact"
                raise BadArtifactError(message)
            names = sorted(member.artifact.files)
            files |= {_inside(number, name): member.artifact.files[name] for name in names}
            listed.append(
                {
                    "kind": member.kind,
                    "version": member.version,
                    "format": member.artifact.format,
                    "files": names,
                    "weight": weight,
                }
            )
        content = {"members": listed, "intercept": self.intercept}
        return seal(FORMAT, {**files, FILE: json.dumps(content, allow_nan=False).encode()})


@dataclass(frozen=True, slots=True)
class Combination:
    """Reads combinations back, as a plugin reads its models.

    Attributes:
        kinds: the kinds of model that the tenant may use, by name.
    """

    kinds: Mapping[str, ModelPlugin]

    def load(self, artifact: Artifact) -> CombinedModel:
        """Read what :meth:`CombinedModel.save` wrote.

        Raises:
            BadArtifactError: it is something else, or the plugin of a member is not installed.
        """
        verify(artifact, FORMAT)
        try:
            content = json.loads(artifact.files[FILE])
            listed, intercept = list(content["members"]), float(content["intercept"])
            weights = tuple(float(entry["weight"]) for entry in listed)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            message = "the artifact does not describe a combination of models"
            raise BadArtifactError(message) from error
        fits = 1 < len(listed) <= MOST_MEMBERS and all(0 <= weight <= LARGEST_WEIGHT for weight in weights)
        if not fits or not abs(intercept) <= LARGEST_WEIGHT:
            message = "a combination has too few or too many members, or weights out of range"
            raise BadArtifactError(message)
        return CombinedModel(
            tuple(self._member(artifact, number, entry) for number, entry in enumerate(listed)), weights, intercept
        )

    def _member(self, artifact: Artifact, number: int, entry: Mapping[str, Any]) -> Member:
        try:
            kind, version, form = (str(entry[name]) for name in ("kind", "version", "format"))
            files = {str(name): artifact.files[_inside(number, str(name))] for name in entry["files"]}
        except (KeyError, TypeError) as error:
            message = "a combination names files that the artifact does not have"
            raise BadArtifactError(message) from error
        plugin = self.kinds.get(kind)
        if plugin is None:
            message = "a member of the combination needs a plugin that is not installed"
            raise BadArtifactError(message)
        own = Artifact(format=form, files=files)
        return Member(kind, version, own, plugin.load(own))


def average(members: Sequence[Member]) -> CombinedModel:
    """All members with the same weight."""
    return CombinedModel(tuple(members), (1 / len(members),) * len(members), 0.0)


def stack(members: Sequence[Member], predictions: Sequence[Floats], outcome: npt.ArrayLike) -> CombinedModel:
    """Weights of 0 or more that fit outcomes of later time best, drawn to equal ones where these say little.

    Args:
        members: the models.
        predictions: probabilities of each member for the same later decisions.
        outcome: (n,), 0 or 1.
    """
    from scipy.optimize import minimize

    design = np.column_stack([np.ones(len(predictions[0])), *map(member_log_odds, predictions)])
    y = np.asarray(outcome, dtype=np.float64)
    start = np.array([0.0, *[1 / len(members)] * len(members)])

    def loss(beta: Floats) -> tuple[float, Floats]:
        eta = design @ beta
        away = np.concatenate(([0.0], beta[1:] - start[1:]))
        value = float(np.sum(np.logaddexp(0.0, eta) - y * eta) + RIDGE * away @ away / 2)
        return value, np.asarray(design.T @ (sigmoid(eta) - y) + RIDGE * away, dtype=np.float64)

    bounds = [(-LARGEST_WEIGHT, LARGEST_WEIGHT), *[(0.0, LARGEST_WEIGHT)] * len(members)]
    weights = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return CombinedModel(tuple(members), tuple(float(weight) for weight in weights[1:]), float(weights[0]))


def combined(columns: Sequence[Floats], weights: Sequence[float], intercept: float) -> Floats:
    """Probabilities of the weighted sum of log-odds."""
    total = sum((weight * column for weight, column in zip(weights, columns, strict=True)), start=np.float64(intercept))
    return sigmoid(np.asarray(total, dtype=np.float64))


def member_log_odds(probability: Floats) -> Floats:
    """Log-odds of a member, finite for the certain too."""
    return logit(np.clip(np.asarray(probability, dtype=np.float64), EDGE, 1 - EDGE))


def _inside(number: int, name: str) -> str:
    """The name of a member's file in the artifact of the combination."""
    return f"m{number}-{name}"
