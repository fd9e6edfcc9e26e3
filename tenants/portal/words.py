"""Texts about a person on a list, in the words of the people who call them."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from core.web.texts import gettext as _
from core.web.texts import marked, ngettext, shown_day
from tenants.followup.today import Card, Today
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

LEVELS: Final[dict[str, tuple[str, str]]] = {
    "high": (marked("High"), "high"),
    "medium": (marked("Raised"), "medium"),
    "low": (marked("Usual"), "low"),
    "late": (marked("Late"), "medium"),
    "iit": (marked("Interrupted"), "high"),
}
"""Word and shape of each level."""

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
    scored = card.risk_level in ("high", "medium", "low") and card.score > 0
    levels = [_(word), *([_("1 in {number}").format(number=round(1 / card.score))] if scored else [])]
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
        meta=" · ".join(part for part in (", ".join(part for part in who[:2] if part), who[2], clinic) if part),
        level=" · ".join(levels),
        shape=shape,
        why=f"{card.why[:1].upper()}{card.why[1:]}.",
        last=last_attempt(card, work.day),
        phone=grouped(phone) if phone else None,
        phoneless=card.identity is not None and not phone,
    )


def name_of(card: Card) -> str:
    """The person's name on the page: the name, else a number, else the beginning of the identifier."""
    identity = card.identity or {}
    return full_name(identity) or identity.get("hospital_number") or unnamed(card.patient_id)


def unnamed(patient_id: UUID) -> str:
    """What pages call a person who has neither a name nor a number there."""
    return _("Client {end}").format(end=str(patient_id)[-6:])


def grouped(phone: str) -> str:
    """A phone number of eleven digits in groups; any other number unchanged."""
    return f"{phone[:4]} {phone[4:7]} {phone[7:]}" if _NATIONAL.fullmatch(phone) else phone


def due(card: Card, day: date) -> str:
    """When the person is expected, or since when the person is late."""
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
