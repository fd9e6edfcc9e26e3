"""A regularised additive model: each feature adds a step curve to the log-odds, so its reasons are exact.

Importing this module is cheap: the code that fits is imported on the first fit.
"""

from plugins.additive.plugin import AdditivePlugin
from plugins.sdk import ModelPlugin, PluginContext, hookimpl

IIT_SDK = 1


@hookimpl
def iit_models(context: PluginContext) -> list[ModelPlugin]:  # noqa: ARG001 - it has no settings
    """Return the additive model."""
    return [AdditivePlugin()]
