"""The plugin: which version of the hooks it is written for, and the models it gives."""

from example_model.model import ExamplePlugin
from plugins.sdk import ModelPlugin, PluginContext, hookimpl

IIT_SDK = 1


@hookimpl
def iit_models(context: PluginContext) -> list[ModelPlugin]:
    """Give the example model."""
    del context  # this plugin has no settings
    return [ExamplePlugin()]
