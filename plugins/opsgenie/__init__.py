"""Opsgenie, and Jira Service Management, which succeeds it: one API at two addresses."""

from plugins.opsgenie.channel import JiraServiceManagement, Opsgenie
from plugins.sdk import AlertChannel, PluginContext, hookimpl

IIT_SDK = 1


@hookimpl
def iit_alert_channels(context: PluginContext) -> list[AlertChannel]:  # noqa: ARG001 - it has no settings
    """Return the channels to Opsgenie and to Jira Service Management."""
    return [Opsgenie(), JiraServiceManagement()]
