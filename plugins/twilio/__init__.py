"""Twilio: text messages, delivery reports and answers."""

from plugins.sdk import PluginContext, SmsGateway, hookimpl
from plugins.twilio.gateway import Twilio

IIT_SDK = 1


@hookimpl
def iit_sms_gateways(context: PluginContext) -> list[SmsGateway]:  # noqa: ARG001 - it has no settings
    """Return the gateway of Twilio."""
    return [Twilio()]
