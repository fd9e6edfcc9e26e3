"""Alerts to any receiver of Standard Webhooks, and its signed acts back."""

from plugins.sdk import AlertChannel, PluginContext, hookimpl
from plugins.webhook.channel import Webhook

IIT_SDK = 1


@hookimpl
def iit_alert_channels(context: PluginContext) -> list[AlertChannel]:  # noqa: ARG001 - it has no settings
    """Return the channel to a webhook."""
    return [Webhook()]
