"""Texts about a person on a list, in the words of the people who call them."""

import re
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from tenants.followup.today import Card, Today
from tenants.risk.identities import full_name

OUTCOMES: Final[dict[str, str]] = {
    "promised": "Will come",
    "not_reached": "Not reached",
    "returned": "Came back",
    "reached": "Spoke, nothing agreed",
    "wrong_number": "Wrong number",
    "moved": "Moved away",
    "transferred_out": "In care elsewhere",
    "refused": "Does not want to come",
    "died": "Died",
}
"""The outcomes as buttons, the most frequent first."""

LEVELS: Final[dict[str, tuple[str, str]]] = {
    "high": ("High", "high"),
    "medium": ("Raised", "medium"),
    "low": ("Usual", "low"),
    "late": ("Late", "medium"),
    "iit": ("Interrupted", "high"),
}
"""Word and shape of each level."""

_NATIONAL: Final = re.compile(r"0[0-9]{10}")
_SEXES: Final = {"F": "female", "M": "male"}


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
    odds = f" · 1 in {round(1 / card.score)}" if card.risk_level in ("high", "medium", "low") and card.score > 0 else ""
    one_clinic = sum(len(clinics) for clinics in work.clinics.values()) <= len(work.clinics)
    clinic = "" if one_clinic else card.clinic
    who = [str(card.age) if card.age is not None else "", _SEXES.get(card.sex or "", ""), due(card, work.as_of)]
    return ShownCard(
        patient_id=card.patient_id,
        title=name_of(card),
        meta=" · ".join(part for part in (", ".join(part for part in who[:2] if part), who[2], clinic) if part),
        level=f"{word}{odds}",
        shape=shape,
        why=f"{card.why[:1].upper()}{card.why[1:]}.",
        last=last_attempt(card, work.day),
        phone=grouped(phone) if phone else None,
        phoneless=card.identity is not None and not phone,
    )


def name_of(card: Card) -> str:
    """The person's name on the page: the name, else a number, else the beginning of the identifier."""
    identity = card.identity or {}
    return full_name(identity) or identity.get("hospital_number") or f"Client {str(card.patient_id)[-6:]}"


def grouped(phone: str) -> str:
    """A phone number of eleven digits in groups; any other number unchanged."""
    return f"{phone[:4]} {phone[4:7]} {phone[7:]}" if _NATIONAL.fullmatch(phone) else phone


def due(card: Card, day: date) -> str:
    """When the person is expected, or since when the person is late."""
    if card.expected_date is None:
        return "no contact on record"
    days = (card.expected_date - day).days
    date_text = f"{card.expected_date:%a} {card.expected_date.day} {card.expected_date:%b}"
    if days == 0:
        return "due today"
    if days > 0:
        return f"due {date_text}, in {counted(days)}"
    return f"expected {date_text}, {counted(-days)} ago"


def last_attempt(card: Card, day: date) -> str:
    """The outcome and day of the latest attempt; empty if there was none."""
    if card.last_outcome is None or card.last_day is None:
        return ""
    days = (day - card.last_day).days
    when = "today" if days == 0 else "yesterday" if days == 1 else f"{counted(days)} ago"
    tries = "1st try" if card.attempts == 1 else f"{card.attempts} tries"
    return f"Last try {when}: {OUTCOMES[card.last_outcome].lower()} ({tries})"


def counted(days: int) -> str:
    """A number of days in words."""
    return "1 day" if days == 1 else f"{days} days"
