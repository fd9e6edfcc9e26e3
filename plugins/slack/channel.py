"""An alert as a message in a Slack channel, and presses of its buttons as acts.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks,
https://docs.slack.dev/authentication/verifying-requests-from-slack
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from plugins.sdk import (
    Alert,
    ChannelAct,
    HttpRequest,
    HttpResponse,
    IncomingRequest,
    Json,
    Outcome,
    Signature,
    common_outcome,
    failed,
    form_fields,
    json_object,
    retry,
    secret,
    sent,
    text_of,
    unknown,
)
from plugins.slack.blocks import BUTTONS, SNOOZES, blocks, summary

WEBHOOK_ERRORS = frozenset(
    {
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "invalid_blocks",
        "invalid_payload",
        "invalid_token",
        "no_service",
        "no_service_id",
        "no_team",
        "no_text",
        "posting_to_general_channel_denied",
        "team_disabled",
        "too_many_attachments",
        "user_not_found",
    }
)
"""Answers of a webhook that another attempt would get as well."""

TRANSIENT = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable"})
"""Answers of ``chat.postMessage`` after which the message may have been posted."""

UNCHANGEABLE = frozenset({"cant_update_message", "edit_window_closed", "message_not_found"})
"""Answers of ``chat.update`` about a first message that somebody removed, or that is too old. The answer follows."""

SIGNING_SECRET: Mapping[str, Json] = {
    "type": "string",
    "title": "Signing secret",
    "description": "Of your app. With it, messages have buttons.",
    "pattern": "^[0-9a-f]{32}$",
    "writeOnly": True,
}


@dataclass(frozen=True, slots=True)
class SlackWebhook:
    """A channel of Slack by its incoming webhook, which cannot answer in threads.

    Slack recognizes no repetition, so an attempt whose end nobody knows is never sent again.
    """

    name: str = "slack"
    title: str = "Slack"
    version: str = "1.0.0"
    per_minute: int = 60

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "required": ["webhook_url"],
            "additionalProperties": False,
            "properties": {
                "webhook_url": {
                    "type": "string",
                    "title": "Address of the incoming webhook",
                    "description": "It begins with https://hooks.slack.com/services/.",
                    "format": "uri",
                    "writeOnly": True,
                },
                "signing_secret": SIGNING_SECRET,
            },
        }

    def requests(self, alert: Alert, settings: Mapping[str, Json]) -> Sequence[HttpRequest]:
        """Return the message."""
        return [HttpRequest("POST", secret("webhook_url"), json=_message(alert, settings), repeatable=False)]

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:  # noqa: ARG002 - the same for all
        """A webhook answers ``ok`` or a code, as text."""
        code = response.text.strip()
        if code in WEBHOOK_ERRORS:
            return failed(code)
        if (known := common_outcome(response, repeatable=False)) is not None:
            return known
        if response.status == HTTPStatus.OK:
            return sent() if code == "ok" else unknown("unreadable_answer")
        return failed(f"http_{response.status}")

    def signature(self, settings: Mapping[str, Json]) -> Signature | None:
        """``x-slack-signature: v0=…`` over the version, the time and the body."""
        if not settings.get("signing_secret"):
            return None
        return Signature(
            "signing_secret",
            "x-slack-signature",
            text="v0:{timestamp}:{body}",
            prefix="v0=",
            timestamp_header="x-slack-request-timestamp",
        )

    def acts(self, request: IncomingRequest, settings: Mapping[str, Json]) -> Sequence[ChannelAct]:
        """Return the presses of buttons in a ``block_actions`` payload."""
        if self.signature(settings) is None:
            return []  # anybody may have sent it
        payload = json_object(form_fields(request.text).get("payload", ""))
        user, actions = payload.get("user"), payload.get("actions")
        if payload.get("type") != "block_actions" or not isinstance(actions, list):
            return []
        who = text_of(user.get("id")) if isinstance(user, dict) else ""
        pressed = [_act(each, who) for each in actions if isinstance(each, dict)]
        return [act for act in pressed if act.act in BUTTONS and act.key]


@dataclass(frozen=True, slots=True)
class SlackBot(SlackWebhook):
    """A channel of Slack by a bot, which answers in the thread of the first message."""

    name: str = "slack-bot"
    title: str = "Slack (with a bot)"

    def settings_schema(self) -> Mapping[str, Json]:
        """JSON Schema of the settings."""
        return {
            "type": "object",
            "required": ["bot_token", "channel"],
            "additionalProperties": False,
            "properties": {
                "bot_token": {
                    "type": "string",
                    "title": "Token of the bot",
                    "description": "With the scope chat:write. It begins with xoxb-.",
                    "pattern": "^xoxb-[A-Za-z0-9-]+$",
                    "writeOnly": True,
                },
                "channel": {
                    "type": "string",
                    "title": "Channel",
                    "description": "Its id, such as C0123456789. Invite the bot into it.",
                    "pattern": "^[CGD][A-Z0-9]{8,}$",
                },
                "signing_secret": SIGNING_SECRET,
                "address": {
                    "type": "string",
                    "title": "Address of Slack",
                    "description": "Leave it as it is, but for tests.",
                    "format": "uri",
                    "default": "https://slack.com",
                },
            },
        }

    def requests(self, alert: Alert, settings: Mapping[str, Json]) -> Sequence[HttpRequest]:
        """Return the message; if the first message is known, its change, and an answer in its thread."""
        channel = settings["channel"]
        url = str(settings.get("address", "https://slack.com")).rstrip("/") + "/api/chat."
        headers = {"Authorization": f"Bearer {secret('bot_token')}"}
        if alert.act == "trigger" or not alert.reference:
            content = {**_message(alert, settings), "channel": channel}
            return [HttpRequest("POST", f"{url}postMessage", headers, json=content, repeatable=False)]
        change = {**_message(alert, settings, is_first=True), "channel": channel, "ts": alert.reference}
        thread = {"thread_ts": alert.reference, "reply_broadcast": alert.act == "resolve"}
        answer = {"text": summary(alert), "unfurl_links": False, "channel": channel, **thread}
        return [
            HttpRequest("POST", f"{url}update", headers, json=change),
            HttpRequest("POST", f"{url}postMessage", headers, json=answer, repeatable=False),
        ]

    def outcome(self, response: HttpResponse, settings: Mapping[str, Json]) -> Outcome:  # noqa: ARG002 - the same for all
        """Slack answers 200, and JSON that says whether it worked; ``ts`` names the message."""
        if (known := common_outcome(response, repeatable=False)) is not None:
            return known
        if response.status != HTTPStatus.OK:
            return failed(f"http_{response.status}")
        answer = json_object(response.text)
        if answer.get("ok") is True:
            return sent(text_of(answer.get("ts")))
        if answer.get("ok") is not False:
            return unknown("unreadable_answer")
        code = text_of(answer.get("error"))
        return sent() if code in UNCHANGEABLE else _refusal(code)


def _act(action: Mapping[str, Json], who: str) -> ChannelAct:
    act = text_of(action.get("action_id")).removeprefix("iit_")
    option = action.get("selected_option")
    chosen = text_of(option.get("value")) if isinstance(option, dict) else ""
    minutes = next((each for each in SNOOZES if str(each) == chosen), 0)
    return ChannelAct(act, text_of(action.get("value")) or text_of(action.get("block_id")), who=who, minutes=minutes)


def _message(alert: Alert, settings: Mapping[str, Json], *, is_first: bool = False) -> dict[str, Json]:
    return {
        "text": summary(alert),
        "blocks": blocks(alert, has_buttons=bool(settings.get("signing_secret")), is_first=is_first),
        "unfurl_links": False,
    }


def _refusal(code: str) -> Outcome:
    if code in {"ratelimited", "rate_limited"}:
        return retry("rate_limited")
    return unknown(code) if code in TRANSIENT else failed(code if code.isidentifier() else "rejected")
