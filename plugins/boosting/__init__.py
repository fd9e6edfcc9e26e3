"""Gradient boosting of trees (LightGBM) with exact TreeSHAP reasons.

Importing this module is cheap: LightGBM is imported when a model is fitted or read.
"""

from plugins.boosting.plugin import BoostingPlugin
from plugins.sdk import ModelPlugin, PluginContext, hookimpl

IIT_SDK = 1


@hookimpl
def iit_models(context: PluginContext) -> list[ModelPlugin]:  # noqa: ARG001 - it has no settings
    """Return the boosting model."""
    return [BoostingPlugin()]
