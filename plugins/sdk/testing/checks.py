"""The promises of every model, one function each. A check raises :class:`ContractError`, with the remedy."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from plugins.sdk.artifact import Artifact, BadArtifactError, seal, verify
from plugins.sdk.contract import Explanation, FittedModel, FloatArray, ModelPlugin, TrainingData, check_matrix
from plugins.sdk.json_types import Json
from plugins.sdk.maths import MAX_LOG_ODDS, log_loss, logit
from plugins.sdk.testing.data import small_data, small_matrix

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)
TOLERANCE = 1e-9
SEED = 3


class ContractError(AssertionError):
    """The plugin breaks the contract. The message names the promise and the remedy."""


@dataclass(frozen=True)
class Subject:
    """A plugin under test, with one fit that the checks share."""

    plugin: ModelPlugin
    params: Mapping[str, Json]
    data: TrainingData
    rows: FloatArray

    @cached_property
    def artifact(self) -> Artifact:
        """Return the artifact that the plugin fitted."""
        return self.plugin.fit(self.data, self.params, SEED)

    @cached_property
    def fitted(self) -> FittedModel:
        """The model read back from its artifact."""
        return self.plugin.load(self.artifact)


def _require(condition: object, message: str) -> None:
    if not condition:
        raise ContractError(message)


def says_what_it_is(subject: Subject) -> None:
    """The plugin has the two methods, a plain name and a version."""
    plugin = subject.plugin
    _require(isinstance(plugin, ModelPlugin), "a model plugin has name, version, fit and load")
    _require(
        NAME.fullmatch(str(plugin.name)), f"name {plugin.name!r} must be lower case, a-z, 0-9, - and _, 40 at most"
    )
    _require(str(plugin.version or ""), "version must be a text that is not empty")


def gives_data_not_code(subject: Subject) -> None:
    """The artifact is sealed, and holds no pickle, bytecode or archive of anything but arrays."""
    artifact = subject.artifact
    _require(isinstance(artifact, Artifact), f"fit must give an Artifact, not {type(artifact).__name__}")
    try:
        verify(artifact)
    except BadArtifactError as error:
        message = f"make the artifact with seal(format, files): {error}"
        raise ContractError(message) from error


def predicts_probabilities(subject: Subject) -> None:
    """Check that predictions are float64, one per row, inside (0, 1). No rows give no predictions."""
    p = subject.fitted.predict(subject.rows)
    _require(getattr(p, "dtype", None) == np.float64, "predict must give a float64 array")
    _require(p.shape == (len(subject.rows),), f"predict must give shape ({len(subject.rows)},), not {p.shape}")
    _require(((p > 0) & (p < 1)).all(), "probabilities must lie inside (0, 1): bound them with sdk.sigmoid")
    none = subject.fitted.predict(subject.rows[:0])
    _require(none.shape == (0,), "no rows must give no predictions")


def learns(subject: Subject) -> None:
    """Check that the model predicts unseen rows of clear data better than the base rate does."""
    fresh = small_data(600, seed=23, validation=False)
    base = float(subject.data.y.mean())
    own = log_loss(logit(subject.fitted.predict(fresh.X)), fresh.y)
    naive = log_loss(np.full(len(fresh.y), np.log(base / (1 - base))), fresh.y)
    _require(own < naive, f"log loss on unseen rows is {own:.3f}; always saying the base rate gives {naive:.3f}")


def repeats_itself(subject: Subject) -> None:
    """The same data, parameters and seed give the same predictions, with validation rows and without."""
    again = subject.plugin.load(subject.plugin.fit(subject.data, subject.params, SEED))
    same = np.array_equal(again.predict(subject.rows), subject.fitted.predict(subject.rows))
    _require(same, "the same seed gave other predictions: draw every random number from np.random.default_rng(seed)")
    alone = replace(subject.data, X_val=None, y_val=None)
    first, second = (subject.plugin.load(subject.plugin.fit(alone, subject.params, SEED)) for _ in range(2))
    same = np.array_equal(first.predict(subject.rows), second.predict(subject.rows))
    _require(same, "without validation rows the same seed gave other predictions")


def reads_what_it_wrote(subject: Subject) -> None:
    """A model that is read from a copy of the artifact gives the same scores and the same summary."""
    artifact = subject.artifact
    copy = Artifact(artifact.format, {name: bytes(bytearray(content)) for name, content in artifact.files.items()})
    model = subject.plugin.load(copy)
    same = np.array_equal(model.predict(subject.rows), subject.fitted.predict(subject.rows))
    _require(same, "a model read back gives other predictions: all of its state must be in the artifact")
    _require(model.features == subject.data.features, "features of the model must be those it was fitted on, in order")
    try:
        json.dumps(dict(model.summary()), allow_nan=False)
    except (TypeError, ValueError) as error:
        message = f"summary must be JSON without NaN: {error}"
        raise ContractError(message) from error


def explains_exactly(subject: Subject) -> None:
    """Base and contributions add up to the raw log-odds of the prediction, row by row."""
    for rows in (subject.rows, subject.rows[:0]):
        explanation = subject.fitted.explain(rows)
        _require(isinstance(explanation, Explanation), "explain must give an Explanation")
        shape = explanation.contributions.shape
        _require(shape == rows.shape, f"contributions must have shape {rows.shape}, not {shape}")
        _require(
            np.isfinite(explanation.contributions).all() and np.isfinite(explanation.base),
            "contributions must be finite",
        )
        inside = np.abs(explanation.log_odds) < MAX_LOG_ODDS
        gap = np.abs(explanation.log_odds - logit(subject.fitted.predict(rows)))[inside]
        worst = float(gap.max(initial=0.0))
        _require(worst <= 1e-6, f"base + contributions miss the log-odds of the prediction by up to {worst:.2g}")  # noqa: PLR2004


def copes_with_missing_values(subject: Subject) -> None:
    """Rows with some or all values missing get a probability and finite reasons."""
    rows = subject.rows.copy()
    rows[::2] = np.nan
    rows[1::2, 0] = np.nan
    p = subject.fitted.predict(rows)
    _require(((p > 0) & (p < 1)).all(), "a row with missing values must get a probability")
    _require(np.isfinite(subject.fitted.explain(rows).contributions).all(), "missing values must give finite reasons")


def copes_with_unknown_categories(subject: Subject) -> None:
    """Check that a category code which training never saw gets a probability."""
    rows = subject.rows.copy()
    for index, feature in enumerate(subject.data.features):
        if feature.kind == "categorical":
            rows[:, index] = len(feature.categories) + 5
    p = subject.fitted.predict(rows)
    _require(((p > 0) & (p < 1)).all(), "a category that is not known must get a probability")


def scores_rows_alone_as_together(subject: Subject) -> None:
    """A patient's score and reasons do not depend on the other rows of the batch."""
    together, reasons = subject.fitted.predict(subject.rows), subject.fitted.explain(subject.rows)
    for row in range(0, len(subject.rows), 29):
        one = subject.rows[row : row + 1]
        gap = abs(float(subject.fitted.predict(one)[0]) - float(together[row]))
        _require(gap <= TOLERANCE, f"row {row} alone and in a batch differ by {gap:.2g}: use no statistic of the batch")
        apart = np.abs(subject.fitted.explain(one).contributions[0] - reasons.contributions[row]).max()
        _require(apart <= TOLERANCE, f"the reasons of row {row} alone and in a batch differ by {apart:.2g}")


def copes_with_constant_columns(subject: Subject) -> None:
    """Check that columns without variation or known values do no harm, and that one feature is enough."""
    matrix = subject.data.X.copy()
    matrix[:, 1], matrix[:, 4] = 1.0, np.nan
    data = replace(subject.data, X=matrix, X_val=None, y_val=None)
    model = subject.plugin.load(subject.plugin.fit(data, subject.params, SEED))
    p = model.predict(subject.rows)
    _require(((p > 0) & (p < 1)).all(), "a constant or empty column in training must not break predictions")
    single = replace(data, X=matrix[:, :1], features=data.features[:1])
    model = subject.plugin.load(subject.plugin.fit(single, subject.params, SEED))
    _require(model.predict(subject.rows[:, :1]).shape == (len(subject.rows),), "a single feature must be enough")


def rejects_wrong_shapes(subject: Subject) -> None:
    """The model raises a ValueError for a wrong number of columns, and for a single row that is not a matrix."""
    rows = subject.rows
    wrong = {
        "one column more": np.column_stack([rows, rows[:, 0]]),
        "one column less": rows[:, 1:],
        "a bare row": rows[0],
        "infinite values": np.full_like(rows, np.inf),
    }
    for what, matrix in wrong.items():
        for call in (subject.fitted.predict, subject.fitted.explain):
            try:
                call(matrix)
            except ValueError:
                continue
            message = f"{what} must be rejected: call check_matrix(X, columns) first in predict and explain"
            raise ContractError(message)


def rejects_unknown_parameters(subject: Subject) -> None:
    """The plugin rejects a parameter that does not exist, so that nobody's typing error is silently ignored."""
    try:
        subject.plugin.fit(subject.data, {**subject.params, "no_such_parameter_xyz": 1}, SEED)
    except ValueError:
        return
    message = "a parameter that the model does not have must raise BadDataError"
    raise ContractError(message)


def rejects_a_changed_artifact(subject: Subject) -> None:
    """The plugin rejects an artifact with a changed byte, a missing file or another format before it interprets it."""
    artifact = subject.artifact
    changed: dict[str, Artifact] = {"another format": seal("not-this-format/1", {"a.json": b"{}"})}
    for name, content in artifact.files.items():
        middle = len(content) // 2
        damaged = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :] if content else b"x"
        changed[f"a changed byte in {name}"] = Artifact(artifact.format, {**artifact.files, name: damaged})
        rest = {other: value for other, value in artifact.files.items() if other != name}
        changed[f"no {name}"] = Artifact(artifact.format, rest)
    for what, bad in changed.items():
        try:
            subject.plugin.load(bad)
        except BadArtifactError:
            continue
        except Exception as error:
            message = (
                f"an artifact with {what} must raise BadArtifactError, not {type(error).__name__}: call verify first"
            )
            raise ContractError(message) from error
        message = f"an artifact with {what} was accepted: call verify(artifact, format) first in load"
        raise ContractError(message)


def leaves_its_input_alone(subject: Subject) -> None:
    """Fitting, predicting and explaining do not change their input arrays."""
    data = small_data()
    copies = [array.copy() for array in (data.X, data.y, data.group)]
    rows = subject.rows.copy()
    model = subject.plugin.load(subject.plugin.fit(data, subject.params, SEED))
    model.predict(rows)
    model.explain(rows)
    inputs: list[np.ndarray] = [data.X, data.y, data.group, rows]
    same = all(
        np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
        for before, after in zip([*copies, subject.rows], inputs, strict=True)
    )
    _require(same, "the plugin wrote into an array that it was given: copy before changing")


Check = Callable[[Subject], None]
CHECKS: tuple[Check, ...] = (
    says_what_it_is,
    gives_data_not_code,
    predicts_probabilities,
    learns,
    repeats_itself,
    reads_what_it_wrote,
    explains_exactly,
    copes_with_missing_values,
    copes_with_unknown_categories,
    scores_rows_alone_as_together,
    copes_with_constant_columns,
    rejects_wrong_shapes,
    rejects_unknown_parameters,
    rejects_a_changed_artifact,
    leaves_its_input_alone,
)


def subject(plugin: ModelPlugin, params: Mapping[str, Json] | None = None) -> Subject:
    """Return a plugin prepared for :data:`CHECKS`."""
    data = small_data()
    return Subject(plugin, params or {}, data, check_matrix(small_matrix(), len(data.features)))


def check_model(plugin: ModelPlugin, params: Mapping[str, Json] | None = None) -> None:
    """Run every check on a plugin.

    Args:
        plugin: the plugin's model.
        params: parameters that make its fit small; its defaults when absent.

    Raises:
        ContractError: names the first promise that is broken, and what to change.
    """
    ready = subject(plugin, params)
    for check in CHECKS:
        check(ready)
