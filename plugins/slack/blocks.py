"""The blocks of a message about an alert, inside Slack's limits.

https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

from collections.abc import Mapping

from plugins.sdk import Alert, Json, shorten

MOST_SECTION, MOST_HEADER, MOST_FIELDS, MOST_FIELD = 3_000, 150, 10, 2_000
BUTTONS: Mapping[str, str] = {"acknowledge": "Acknowledge", "snooze": "Snooze", "resolve": "Resolve"}
SNOOZES: Mapping[int, str] = {30: "30 minutes", 60: "1 hour", 240: "4 hours"}
"""The minutes that a snooze offers."""
EMOJI: Mapping[str, str] = {
    "info": ":information_source:",
    "low": ":large_blue_circle:",
    "medium": ":large_yellow_circle:",
    "high": ":large_orange_circle:",
    "critical": ":red_circle:",
}
ACTS: Mapping[str, str] = {"acknowledge": ":eyes: Acknowledged", "resolve": ":white_check_mark: Resolved"}


def escaped(text: str, most: int) -> str:
    """Return the text for Slack's markup, cut so that its escaped form has at most so many characters.

    A name such as ``<!channel>`` would otherwise notify everybody.
    """
    safe = _escape(text)
    length = min(len(text), most)
    while len(safe) > most:
        length -= max(1, (len(safe) - most) // len("&amp;"))
        safe = _escape(shorten(text, length))
    return safe


def summary(alert: Alert) -> str:
    """One line, which notifications show."""
    if alert.act != "trigger":
        return f"{ACTS[alert.act]}: {escaped(alert.title, MOST_HEADER)}"
    return f"{EMOJI[alert.severity]} {escaped(alert.title, MOST_HEADER)}"


def blocks(alert: Alert, *, has_buttons: bool, is_first: bool = False) -> list[Json]:
    """The message: title, text, facts, and buttons while the alert is open.

    Args:
        alert: what happened.
        has_buttons: whether Slack can send presses back.
        is_first: whether it takes the place of the first message, and so keeps the text and the facts.
    """
    title = {"type": "section", "text": _markup(f"*{summary(alert)}*")}
    link: list[Json] = []
    if alert.url:
        link = [{"type": "context", "elements": [_markup(f"<{alert.url}|Open the alert>")]}]
    if alert.act == "resolve" and not is_first:
        return [title, *link]
    content: list[Json] = [title]
    if alert.act == "trigger" or is_first:
        if alert.text:
            content.append({"type": "section", "text": _markup(escaped(alert.text, MOST_SECTION))})
        facts = {"Clinic": alert.facility, "Number": str(alert.count) if alert.count > 1 else "", **alert.facts}
        shown = [(name, value) for name, value in facts.items() if value][:MOST_FIELDS]
        if shown:
            fields = [_markup(f"*{escaped(name, 100)}*\n{escaped(value, MOST_FIELD - 110)}") for name, value in shown]
            content.append({"type": "section", "fields": fields})
    if has_buttons and alert.act != "resolve":
        offered = [act for act in BUTTONS if alert.act == "trigger" or act != "acknowledge"]
        elements = [_snooze() if act == "snooze" else _button(act, alert.key) for act in offered]
        content.append({"type": "actions", "block_id": alert.key, "elements": elements})
    return [*content, *link]


def _button(act: str, key: str) -> dict[str, Json]:
    style = {"style": "primary"} if act == "acknowledge" else {}
    return {"type": "button", "action_id": f"iit_{act}", "value": key, "text": _plain(BUTTONS[act]), **style}


def _snooze() -> dict[str, Json]:
    """A choice of minutes. It has no value of its own, so the block's id names the alert."""
    options = [{"text": _plain(text), "value": str(minutes)} for minutes, text in SNOOZES.items()]
    return {"type": "static_select", "action_id": "iit_snooze", "placeholder": _plain("Snooze"), "options": options}


def _plain(text: str) -> dict[str, Json]:
    return {"type": "plain_text", "text": text}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _markup(text: str) -> dict[str, Json]:
    return {"type": "mrkdwn", "text": text}
