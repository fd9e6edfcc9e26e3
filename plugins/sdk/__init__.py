"""The SDK: everything that a plugin may import. Contract types, hook specification, contract tests."""

from plugins.sdk.answers import common_outcome, form_fields, json_object, shorten, text_of
from plugins.sdk.artifact import MANIFEST, Artifact, BadArtifactError, seal, verify
from plugins.sdk.channel import CHANNEL_ACTS, Alert, AlertChannel, ChannelAct
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
from plugins.sdk.gateway import DeliveryReport, IncomingSms, Sms, SmsGateway
from plugins.sdk.hooks import ENTRY_POINT_GROUP, PROJECT, SPEC_VERSION, PluginContext, hookimpl, hookspec
from plugins.sdk.http_types import (
    HttpRequest,
    HttpResponse,
    IncomingRequest,
    Outcome,
    Signature,
    failed,
    retry,
    retry_after,
    secret,
    sent,
    unknown,
)
from plugins.sdk.importer import Chosen, Entry, Importer, Location
from plugins.sdk.json_types import Json
from plugins.sdk.letters import letter, text_message
from plugins.sdk.listener import Event, EventListener
from plugins.sdk.maths import log_loss, logit, sigmoid
from plugins.sdk.source import Document, RagSource

__all__ = [
    "CHANNEL_ACTS",
    "ENTRY_POINT_GROUP",
    "MANIFEST",
    "PROJECT",
    "SPEC_VERSION",
    "Alert",
    "AlertChannel",
    "Artifact",
    "BadArtifactError",
    "BadDataError",
    "ChannelAct",
    "Chosen",
    "DeliveryReport",
    "Document",
    "Entry",
    "Event",
    "EventListener",
    "Explanation",
    "FeatureSpec",
    "FittedModel",
    "FloatArray",
    "HttpRequest",
    "HttpResponse",
    "Importer",
    "IncomingRequest",
    "IncomingSms",
    "Json",
    "Location",
    "ModelPlugin",
    "Outcome",
    "PluginContext",
    "RagSource",
    "Signature",
    "Sms",
    "SmsGateway",
    "TrainingData",
    "check_matrix",
    "common_outcome",
    "failed",
    "feature_names",
    "form_fields",
    "hookimpl",
    "hookspec",
    "json_object",
    "letter",
    "log_loss",
    "logit",
    "retry",
    "retry_after",
    "seal",
    "secret",
    "sent",
    "shorten",
    "sigmoid",
    "text_message",
    "text_of",
    "unknown",
    "verify",
]
