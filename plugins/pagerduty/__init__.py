"""PagerDuty: Events API v2 out, webhooks v3 back."""

from plugins.pagerduty.channel import PagerDuty
from plugins.sdk import AlertChannel, PluginContext, hookimpl

IIT_SDK = 1


@hookimpl
def iit_alert_channels(context: PluginContext) -> list[AlertChannel]:  # noqa: ARG001 - it has no settings
    """Return the channel to PagerDuty."""
    return [PagerDuty()]
