"""E-mail: alerts as letters, which the platform sends by its own mail server."""

from plugins.email.channel import Email
from plugins.sdk import AlertChannel, PluginContext, hookimpl

IIT_SDK = 1


@hookimpl
def iit_alert_channels(context: PluginContext) -> list[AlertChannel]:  # noqa: ARG001 - it has no settings
    """Return the channel by e-mail."""
    return [Email()]
