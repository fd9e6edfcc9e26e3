"""SMS: alerts as text messages to one member of staff, by a gateway that the tenant has set up."""

from plugins.sdk import AlertChannel, PluginContext, hookimpl
from plugins.sms_channel.channel import SmsChannel

IIT_SDK = 1


@hookimpl
def iit_alert_channels(context: PluginContext) -> list[AlertChannel]:  # noqa: ARG001 - it has no settings
    """Return the channel by SMS."""
    return [SmsChannel()]
