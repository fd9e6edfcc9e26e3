"""Kannel: text messages, delivery reports and answers."""

from plugins.kannel.gateway import Kannel
from plugins.sdk import PluginContext, SmsGateway, hookimpl

IIT_SDK = 1


@hookimpl
def iit_sms_gateways(context: PluginContext) -> list[SmsGateway]:  # noqa: ARG001 - it has no settings
    """Return the gateway of Kannel."""
    return [Kannel()]
