"""The SDK: everything that a plugin may import. Contract types, hook specification, contract tests."""

from plugins.sdk.artifact import MANIFEST, Artifact, BadArtifactError, seal, verify
from plugins.sdk.contract import (
    BadDataError,
    Explanation,
    FeatureSpec,
    FittedModel,
    FloatArray,
    ModelPlugin,
    TrainingData,
    check_matrix,
    feature_names,
)
from plugins.sdk.hooks import ENTRY_POINT_GROUP, PROJECT, SPEC_VERSION, PluginContext, hookimpl, hookspec
from plugins.sdk.json_types import Json
from plugins.sdk.maths import log_loss, logit, sigmoid

__all__ = [
    "ENTRY_POINT_GROUP",
    "MANIFEST",
    "PROJECT",
    "SPEC_VERSION",
    "Artifact",
    "BadArtifactError",
    "BadDataError",
    "Explanation",
    "FeatureSpec",
    "FittedModel",
    "FloatArray",
    "Json",
    "ModelPlugin",
    "PluginContext",
    "TrainingData",
    "check_matrix",
    "feature_names",
    "hookimpl",
    "hookspec",
    "log_loss",
    "logit",
    "seal",
    "sigmoid",
    "verify",
]
