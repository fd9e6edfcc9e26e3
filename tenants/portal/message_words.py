"""Words of the pages about messages to patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from core.web.texts import LANGUAGES, marked, shown_time
from core.web.texts import gettext as _

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from tenants.messages.models import PatientConsent
    from tenants.messages.schemas import MessageOut

PURPOSES: Final = {
    "reminders": marked("Reminders of the expected contact"),
    "follow_up": marked("Messages after a missed contact"),
    "surveys": marked("Questions about the service"),
}
SOURCES: Final = {
    "paper_form": marked("Signed on paper"),
    "verbal": marked("Said at the clinic"),
    "sms": marked("By SMS"),
    "import": marked("From an import"),
}
STATES: Final = {
    "waiting": marked("Waiting"),
    "sending": marked("Being sent"),
    "sent": marked("Sent"),
    "delivered": marked("Delivered"),
    "failed": marked("Failed"),
    "unknown": marked("Not known"),
    "cancelled": marked("Not sent"),
    "received": marked("To read"),
    "read": marked("Received"),
}
LEVELS: Final = {"delivered": "low", "sent": "low", "unknown": "medium", "received": "medium", "failed": "high"}
ANSWERS: Final = {
    "coming": marked("Is coming"),
    "call": marked("Asks for a call"),
    "stop": marked("Wants no messages"),
    "start": marked("Wants messages again"),
    "nothing": marked("Nothing to do"),
}
DECISIONS: Final = {
    "given": marked("Agrees to messages: {purpose} ({source})"),
    "withdrawn": marked("Wants no more messages: {purpose} ({source})"),
    "declined": marked("Agrees to no messages: {purpose} ({source})"),
}
"""What a patient decided -> words of the timeline."""
REASONS: Final = {
    "switched_off": marked("messages are switched off"),
    "no_patient": marked("the patient is not on record"),
    "no_consent": marked("the patient does not consent"),
    "left_care": marked("the patient has left care or does not want to come"),
    "came": marked("the patient came, or is expected on another day"),
    "too_late": marked("the expected day is here"),
    "no_phone": marked("no phone that receives messages"),
    "wrong_number": marked("the phone is a wrong number"),
    "opted_out": marked("the phone asked for no messages"),
    "shared_phone": marked("other patients have the same phone"),
    "daily_limit": marked("the phone had enough messages today"),
    "no_template": marked("no text in this language"),
    "not_covert": marked("the text would tell too much"),
    "too_long": marked("the text is too long"),
    "quiet": marked("no day permits messages"),
    "plan": marked("the partner's plan permits no messages now"),
    "person": marked("somebody cancelled it"),
    "restored": marked("it was unfinished in a restored archive"),
    "interrupted": marked("the platform stopped while it was sent"),
    "given_up": marked("the platform gave it up"),
    "timeout": marked("the gateway did not answer in time"),
    "invalid_number": marked("the number does not exist"),
    "unsubscribed": marked("the phone asked the network for no messages"),
    "disabled": marked("the gateway is switched off"),
    "no_instance": marked("the gateway was removed"),
    "plugin_missing": marked("the gateway's plugin is missing"),
}
DONE: Final = {
    "consent": marked("The decision is recorded."),
    "sent": marked("The message goes out as soon as it is permitted."),
    "settled": marked("The message is settled."),
    "cancelled": marked("The message will not be sent."),
    "saved": marked("The text is saved."),
    "retired": marked("The text is no longer sent."),
}
OTHER_LANGUAGES: Final = {"sw": "Kiswahili", "ha": "Hausa", "ig": "Igbo", "yo": "Yorùbá", "am": "አማርኛ", "zu": "isiZulu"}
"""Languages of texts besides those of pages, by their own names."""


def languages() -> dict[str, str]:
    """Code -> own name of the languages of texts."""
    return {**LANGUAGES, **OTHER_LANGUAGES}


def language_name(code: str) -> str:
    """The own name of a language; the code of one that the pages do not know."""
    return languages().get(code, code)


def reason_words(reason: str | None) -> str:
    """Why a message was not sent; a gateway's own code as it is."""
    if not reason:
        return ""
    return _(REASONS[reason]) if reason in REASONS else reason.replace("_", " ")


def state_words(message: MessageOut) -> str:
    """The state of a message, with the reason or the answer."""
    words = _(STATES[message.state])
    more = _(ANSWERS[message.answer]) if message.answer else reason_words(message.reason)
    return _("{state}: {reason}").format(state=words, reason=more) if more else words


def line(message: MessageOut, zone: ZoneInfo) -> tuple[str, str, str]:
    """A message in a timeline: its moment, the moment in words, and what it says."""
    moment = (message.sent_at or message.created_at).astimezone(zone)
    return moment.isoformat(timespec="minutes"), shown_time(moment, zone), history_words(message)


def decision_words(row: PatientConsent) -> str:
    """A decision about messages, in one line."""
    purpose, answer, source = _(PURPOSES[row.purpose]), _("Yes") if row.agrees else _("No"), _(SOURCES[row.source])
    return _("{purpose}: {answer} ({source})").format(purpose=purpose, answer=answer, source=source)


def sent_words(facts: Mapping[str, Any]) -> str:
    """A message to the patient in the patient's timeline, in one line. Its text is there if the reader may see it."""
    purpose = _(PURPOSES[facts["purpose"]]) if facts.get("purpose") else ""
    words = _with_reason(_(STATES[facts["state"]]), facts)
    return _("Message ({purpose}): {state}").format(purpose=purpose, state=words) + _quoted(facts)


def report_words(facts: Mapping[str, Any]) -> str:
    """A delivery report in the patient's timeline, in one line."""
    arrived = facts["state"] == "delivered"
    return _("The message arrived") if arrived else _with_reason(_("The message did not arrive"), facts)


def answer_words(facts: Mapping[str, Any]) -> str:
    """A message from the patient in the patient's timeline, in one line."""
    if facts.get("answer"):
        state = _(ANSWERS[facts["answer"]])
        return _("Message from the patient: {state}").format(state=state) + _quoted(facts)
    return _("Message from the patient") + _quoted(facts)


def consent_words(facts: Mapping[str, Any]) -> str:
    """A decision about messages in the patient's timeline, in one line."""
    purpose, source = _(PURPOSES[facts["purpose"]]), _(SOURCES[facts["source"]])
    return _(DECISIONS[facts["decision"]]).format(purpose=purpose, source=source)


def _with_reason(words: str, facts: Mapping[str, Any]) -> str:
    reason = reason_words(facts.get("reason"))
    return _("{state}: {reason}").format(state=words, reason=reason) if reason else words


def _quoted(facts: Mapping[str, Any]) -> str:
    return f" “{facts['text']}”" if facts.get("text") else ""


def history_words(message: MessageOut) -> str:
    """A message on the page of its patient's messages, in one line."""
    text = f" “{message.text}”" if message.text else ""
    if message.direction == "inbound":
        return _("Message from the patient: {state}").format(state=state_words(message)) + text
    purpose = _(PURPOSES[message.purpose]) if message.purpose else ""
    return _("Message ({purpose}): {state}").format(purpose=purpose, state=state_words(message)) + text
