"""Slack: messages with buttons, by an incoming webhook or a bot, and presses of the buttons back."""

from plugins.sdk import AlertChannel, PluginContext, hookimpl
from plugins.slack.channel import SlackBot, SlackWebhook

IIT_SDK = 1


@hookimpl
def iit_alert_channels(context: PluginContext) -> list[AlertChannel]:  # noqa: ARG001 - it has no settings
    """Return the channels to Slack."""
    return [SlackWebhook(), SlackBot()]
