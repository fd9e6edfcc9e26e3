"""Texts about a person on a list, in the words of the people who call them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final
from uuid import UUID

from core.web.texts import gettext as _
from core.web.texts import marked, ngettext, shown_date, shown_day, shown_share
from tenants.followup.rest import LeftOut
from tenants.followup.today import AT_RISK, Card, Today
from tenants.portal.reason_words import reason_text
from tenants.risk.identities import full_name, identities_of

if TYPE_CHECKING:
    from core.database import TenantSession
    from tenants.alerts.people import AlertPerson

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
    "high": (marked("High risk"), "high"),
    "medium": (marked("Raised risk"), "medium"),
    "low": (marked("Not raised"), "low"),
    "late": (marked("Late"), "medium"),
    "iit": (marked("Interrupted"), "high"),
}
"""Word and shape of each level."""

TIMES_USUAL: Final = 2.0
"""High risk begins where the odds are this many times the usual ones."""

TRACED: Final = {
    "late": marked("Did not come. Treatment does not count as interrupted yet."),
    "iit": marked("Did not come. Treatment counts as interrupted."),
}
"""Why people are on the list who are late already; the card says for how long."""

EVERYBODY_DAYS: Final = 365
"""A list of people due within this many days leaves nobody out."""
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
    wrong_phone: str


def shown_card(card: Card, work: Today) -> ShownCard:
    """The texts of a card. Days are counted from the day that the list was made for; attempts from today."""
    phone = None if card.identity is None else card.identity.get("phone")
    word, shape = LEVELS[level_of(card.risk_level, card.score, work.usual_risk)]
    clinic = "" if has_one_clinic(work) else card.clinic
    return ShownCard(
        patient_id=card.patient_id,
        title=name_of(card),
        meta=" · ".join(filter(None, (age_and_sex(card), due(card, work.as_of), clinic))),
        level=" · ".join(filter(None, (_(word), odds(card)))),
        shape=shape,
        why=" ".join(filter(None, (why(card, work.usual_risk), tie(card)))),
        last=last_attempt(card, work.day),
        phone=grouped(phone) if phone else None,
        phoneless=card.identity is not None and not phone,
        wrong_phone=wrong_phone(card.wrong_phone_on) if phone else "",
    )


def wrong_phone(day: date | None) -> str:
    """The mark beside a phone that somebody found to be wrong on a day; empty for any other."""
    return "" if day is None else _("Wrong number, recorded {day}").format(day=shown_date(day))


def age_and_sex(person: Card | LeftOut | AlertPerson) -> str:
    """Age and sex in words, as far as they are known."""
    age = str(person.age) if person.age is not None else ""
    return ", ".join(filter(None, (age, _(SEXES[person.sex]) if person.sex in SEXES else "")))


def has_one_clinic(work: Today) -> bool:
    """Whether all people of both lists are at one clinic, so that cards need not name it."""
    return sum(len(clinics) for clinics in work.clinics.values()) <= len(work.clinics)


def level_of(level: str, risk: float, usual: float | None) -> str:
    """The level that the page shows: for who is at risk, how the risk compares with the usual one of the model.

    The level of a list follows the capacity of the clinic: who is on the list is mostly ``high`` there, even if all
    have the same risk.
    """
    if level not in AT_RISK or usual is None:
        return level
    if risk >= high_from(usual):
        return "high"
    return "medium" if shown_share(risk) != shown_share(usual) and risk > usual else "low"


def high_from(usual: float) -> float:
    """The risk from which on a person's risk is high: ``TIMES_USUAL`` times the usual odds.

    >>> round(high_from(0.1), 3)
    0.182
    """
    return TIMES_USUAL * usual / (1 + (TIMES_USUAL - 1) * usual)


def tie(card: Card) -> str:
    """How many people of the clinic have the same risk, and what decides then; empty if nobody has."""
    if not card.equals:
        return ""
    return ngettext(
        "{count} other person here has the same risk; who is due first comes first.",
        "{count} other people here have the same risk; who is due first comes first.",
        card.equals,
    )


def odds(card: Card) -> str:
    """The risk in words; empty for who is late already."""
    return odds_of(card.score) if card.risk_level in AT_RISK else ""


def odds_of(risk: float) -> str:
    """A risk in words; empty for none."""
    if risk <= 0:
        return ""
    if risk >= EVEN:
        return _("{count} in 10").format(count=round(risk * 10))
    return _("1 in {number}").format(number=round(1 / risk))


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
    sentences = [_("The highest risk of a clinic comes first.")]
    if work.usual_risk is not None:
        sentences += [
            _("The usual risk is {share}.").format(share=shown_share(work.usual_risk)),
            _("“High risk” begins at {share}, “Raised risk” above the usual one.").format(
                share=shown_share(high_from(work.usual_risk))
            ),
        ]
    sentences.append(_("“1 in 4” means: of four such people, one may interrupt treatment."))
    return " ".join(sentences)


def part_of_list(work: Today) -> str:
    """Which people of all who wait the page shows; empty if it shows all."""
    waiting, first = work.waiting(work.kind), work.place.before + 1
    if not work.people or (work.place.next is None and not work.place.before):
        return ""
    return _("{first} to {last} of {count}").format(
        first=first, last=work.place.before + len(work.people), count=waiting
    )


def cut(work: Today) -> str:
    """How many of all people the list has, and the capacity that cuts it; empty if nobody is on it."""
    if work.cut is None or not work.cut.candidates:
        return ""
    people = ngettext("{count} person", "{count} people", work.cut.candidates)
    if work.kind == "to_trace":
        text = _("{listed} of {people} to be traced") if work.cut.is_cut else _("{people} to be traced")
    elif work.cut.due_within is None or work.cut.due_within >= EVERYBODY_DAYS:
        text = _("{listed} of {people} at risk") if work.cut.is_cut else _("{people} at risk")
    elif work.cut.is_cut:
        text = _("{listed} of {people} at risk and due within {days}")
    else:
        text = _("{people} at risk and due within {days}")
    text = text.format(listed=work.cut.listed, people=people, days=counted(work.cut.due_within or 0))
    if not work.cut.is_cut:
        return text
    own = has_one_clinic(work)
    capacity = _("your capacity is {count} a day") if own else _("each clinic's capacity is {count} a day")
    return f"{text}; {capacity.format(count=work.cut.capacity)}"


def name_of(person: Card | LeftOut) -> str:
    """The person's name on the page: the name, else a number, else the end of the identifier."""
    identity = person.identity or {}
    return full_name(identity) or identity.get("hospital_number") or unnamed(person.patient_id)


def names_of_patients(session: TenantSession, patients: Sequence[UUID]) -> dict[UUID, str]:
    """What pages call these patients: the name, else a number, else the end of the identifier."""
    identities = identities_of(session, patients)
    return {
        patient: full_name(identity) or identity.get("hospital_number") or unnamed(patient)
        for patient in patients
        for identity in [identities.get(patient, {})]
    }


def unnamed(patient_id: UUID) -> str:
    """The words of pages for a person who has neither a name nor a number there."""
    return _("Patient {end}").format(end=str(patient_id)[-6:])


def grouped(phone: str) -> str:
    """A phone number of eleven digits in groups; any other number unchanged."""
    return f"{phone[:4]} {phone[4:7]} {phone[7:]}" if _NATIONAL.fullmatch(phone) else phone


def due(card: Card | LeftOut, day: date) -> str:
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
