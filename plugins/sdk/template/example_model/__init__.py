"""The plugin: states the version of the hooks that it is written for, and returns its models."""

from example_model.model import ExamplePlugin
from plugins.sdk import ModelPlugin, PluginContext, hookimpl

IIT_SDK = 1


@hookimpl
def iit_models(context: PluginContext) -> list[ModelPlugin]:
    """Return the example model."""
    del context  # this plugin has no settings
    return [ExamplePlugin()]
