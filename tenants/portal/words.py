"""Texts about a person on a list, in the words of the people who call them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from core.web.texts import gettext as _
from core.web.texts import marked, ngettext, shown_day, shown_share
from tenants.followup.today import Card, Today
from tenants.portal.reason_words import reason_text
from tenants.risk.identities import full_name

OUTCOMES: Final[dict[str, str]] = {
    "promised": marked("Will come"),
    "not_reached": marked("Not reached"),
    "returned": marked("Came back"),
    "reached": marked("Spoke, nothing agreed"),
    "wrong_number": marked("Wrong number"),
    "moved": marked("Moved away"),
    "transferred_out": marked("In care elsewhere"),
    "refused": marked("Does not want to come"),
    "died": marked("Died"),
}
"""The outcomes as buttons, the most frequent first."""

WRONG_PHONE: Final = marked("Give another number than the one on record, with 6 digits or more, or leave it empty.")
"""The problems of a new number for a person with a wrong one."""

LEVELS: Final[dict[str, tuple[str, str]]] = {
    "high": (marked("Call first"), "high"),
    "medium": (marked("Call next"), "medium"),
    "low": (marked("Call later"), "low"),
    "late": (marked("Late"), "medium"),
    "iit": (marked("Interrupted"), "high"),
}
"""Word and shape of each level. Those of people at risk follow the order at their clinic, not the risk alone."""

TRACED: Final = {
    "late": marked("Did not come. Treatment does not count as interrupted yet."),
    "iit": marked("Did not come. Treatment counts as interrupted."),
}
"""Why people are on the list who are late already; the card says for how long."""

AT_RISK: Final = frozenset({"high", "medium", "low"})
EVEN: Final = 0.5
"""From this risk on odds are shown as so many of ten."""

_NATIONAL: Final = re.compile(r"0[0-9]{10}")
SEXES: Final = {"F": marked("female"), "M": marked("male")}


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A card as its template shows it; each text is ready to read."""

    patient_id: UUID
    title: str
    meta: str
    level: str
    shape: str
    why: str
    last: str
    phone: str | None
    phoneless: bool


def shown_card(card: Card, work: Today) -> ShownCard:
    """The texts of a card. Days are counted from the day that the list was made for; attempts from today."""
    phone = None if card.identity is None else card.identity.get("phone")
    word, shape = LEVELS[card.risk_level]
    one_clinic = sum(len(clinics) for clinics in work.clinics.values()) <= len(work.clinics)
    clinic = "" if one_clinic else card.clinic
    who = [
        str(card.age) if card.age is not None else "",
        _(SEXES[card.sex]) if card.sex in SEXES else "",
        due(card, work.as_of),
    ]
    return ShownCard(
        patient_id=card.patient_id,
        title=name_of(card),
        meta=" · ".join(filter(None, (", ".join(filter(None, who[:2])), who[2], clinic))),
        level=" · ".join(filter(None, (_(word), odds(card)))),
        shape=shape,
        why=why(card, work.usual_risk),
        last=last_attempt(card, work.day),
        phone=grouped(phone) if phone else None,
        phoneless=card.identity is not None and not phone,
    )


def odds(card: Card) -> str:
    """The risk in words; empty for who is late already."""
    if card.risk_level not in AT_RISK or card.score <= 0:
        return ""
    if card.score >= EVEN:
        return _("{count} in 10").format(count=round(card.score * 10))
    return _("1 in {number}").format(number=round(1 / card.score))


def why(card: Card, usual: float | None) -> str:
    """Why the person is on the list: the reasons, then how the risk compares where the reasons alone would mislead."""
    if card.risk_level in TRACED:
        return _(TRACED[card.risk_level]) if card.expected_date is not None else _("Interrupted, by your own list.")
    sentences = [_sentence(card.raising)]
    if card.risk_level in AT_RISK and usual is not None:
        share = shown_share(usual)
        if shown_share(card.score) == share:
            sentences.append(_("About the usual risk of {share}.").format(share=share))
        elif card.score < usual:
            text = (
                _("Still below the usual risk of {share}.") if card.raising else _("Below the usual risk of {share}.")
            )
            sentences.append(text.format(share=share))
        elif not card.raising:
            sentences.append(_("Above the usual risk of {share}; no single reason stands out.").format(share=share))
    if not card.raising:
        sentences.append(_sentence(card.lowering))
    return " ".join(filter(None, sentences)) or _("No single reason stands out.")


def _sentence(reasons: Sequence[str]) -> str:
    text = "; ".join(reason_text(reason) for reason in reasons)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def meaning(work: Today) -> str:
    """The meaning of the words on a list's badges."""
    if work.kind == "to_trace":
        return _("“Late” is past the expected contact, “Interrupted” longer than the grace period.")
    sentences = []
    if work.capacity_share is not None:
        share = shown_share(work.capacity_share)
        text = _("“Call first” marks the {share} of each clinic's people with the highest risk; the others follow.")
        sentences += [text.format(share=share), _("“1 in 4” means: of four such people, one may interrupt treatment.")]
    if work.usual_risk is not None:
        sentences.append(_("The usual risk is {share}.").format(share=shown_share(work.usual_risk)))
    return " ".join(sentences)


def name_of(card: Card) -> str:
    """The person's name on the page: the name, else a number, else the beginning of the identifier."""
    identity = card.identity or {}
    return full_name(identity) or identity.get("hospital_number") or unnamed(card.patient_id)


def unnamed(patient_id: UUID) -> str:
    """The words of pages for a person who has neither a name nor a number there."""
    return _("Client {end}").format(end=str(patient_id)[-6:])


def grouped(phone: str) -> str:
    """A phone number of eleven digits in groups; any other number unchanged."""
    return f"{phone[:4]} {phone[4:7]} {phone[7:]}" if _NATIONAL.fullmatch(phone) else phone


def due(card: Card, day: date) -> str:
    """The day on which the person is expected, or since which the person is late."""
    if card.expected_date is None:
        return _("no contact on record")
    days = (card.expected_date - day).days
    when = shown_day(card.expected_date)
    if days == 0:
        return _("due today")
    if days > 0:
        return _("due {day}, in {days}").format(day=when, days=counted(days))
    return _("expected {day}, {days} ago").format(day=when, days=counted(-days))


def last_attempt(card: Card, day: date) -> str:
    """The outcome and day of the latest attempt; empty if there was none."""
    if card.last_outcome is None or card.last_day is None:
        return ""
    days = (day - card.last_day).days
    outcome = _(OUTCOMES[card.last_outcome]).lower()
    if days > 1:
        text = _("Last try {days} ago: {outcome}").format(days=counted(days), outcome=outcome)
    else:
        text = (_("Last try yesterday: {outcome}") if days else _("Last try today: {outcome}")).format(outcome=outcome)
    tries = ngettext("{count} try", "{count} tries", card.attempts)
    return f"{text} ({tries})"


def counted(days: int) -> str:
    """A number of days in words."""
    return ngettext("{count} day", "{count} days", days)
