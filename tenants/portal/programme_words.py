"""Texts about indicators: what each counts, in the words of people who run a programme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from core.web.texts import gettext as _
from core.web.texts import marked, shown_date, shown_month, shown_number, shown_share

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from tenants.cohort.calendar import Period

PVLS: Final = "TX_PVLS"
MINUS: Final = "\u2212"
HEADLINES: Final[dict[str, str]] = {
    "TX_CURR": marked("On treatment"),
    "TX_NEW": marked("Started treatment"),
    "TX_ML": marked("Left treatment"),
    "TX_RTT": marked("Came back"),
    PVLS: marked("Virus suppressed"),
}
"""The five indicators, with what each counts."""

DEFINITIONS: Final[dict[str, str]] = {
    "TX_CURR": marked("People on treatment on the last day of the period."),
    "TX_NEW": marked("People who started treatment at the clinic within the period, wherever they are now."),
    "TX_ML": marked(
        "People on treatment at the start of the period, or who started within it, and at its end had interrupted"
        " treatment, stopped, died or were transferred out."
    ),
    "TX_RTT": marked(
        "People who had interrupted or stopped treatment at the start of the period, and were on treatment at its end."
    ),
    PVLS: marked(
        "Of the people on treatment for three months or more with a viral load in the last 12 months, those whose"
        " latest is below 1,000 copies/mL."
    ),
}
"""The definition of each indicator, as the platform computes it (PEPFAR MER)."""

COUNTS: Final[dict[str, str]] = {
    **HEADLINES,
    "TX_CURR_start": marked("On treatment at the start"),
    "transferred_in": marked("Came from another facility"),
    "first_seen": marked("First seen when already on treatment"),
    "returned_after_transfer_out": marked("Came back after a transfer out"),
    "from_unknown": marked("Status known again"),
    "other_in": marked("Came for another reason"),
    "aged_since_start": marked("Moved between age bands"),
    "joined_and_lost": marked("Came from elsewhere and left again"),
    "joined_and_lost_died": marked("Came from elsewhere and died"),
    "joined_and_lost_iit": marked("Came from elsewhere and interrupted"),
    "joined_and_lost_transferred_out": marked("Came from elsewhere and were transferred out"),
    "joined_and_lost_stopped": marked("Came from elsewhere and stopped"),
    "to_unknown": marked("Status no longer known"),
    "invalidated": marked("Record not valid any more"),
    "TX_ML_died": marked("Died"),
    "TX_ML_iit_lt3": marked("Interrupted in the first 3 months"),
    "TX_ML_iit_3to5": marked("Interrupted after 3 to 5 months"),
    "TX_ML_iit_6plus": marked("Interrupted after 6 months or more"),
    "TX_ML_iit_not_recorded": marked("Interrupted, start not recorded"),
    "TX_ML_transferred_out": marked("Transferred out"),
    "TX_ML_stopped": marked("Stopped treatment"),
    "TX_RTT_lt3": marked("Away for less than 3 months"),
    "TX_RTT_3to5": marked("Away for 3 to 5 months"),
    "TX_RTT_6plus": marked("Away for 6 months or more"),
    "TX_PVLS_D": marked("With a viral load in 12 months"),
    "TX_PVLS_N": marked("Below 1,000 copies/mL"),
    "TX_PVLS_not_suppressed": marked("1,000 copies/mL or more"),
}
"""The meaning of each count."""

LEFT_AS: Final = (
    "TX_ML_iit_lt3",
    "TX_ML_iit_3to5",
    "TX_ML_iit_6plus",
    "TX_ML_iit_not_recorded",
    "TX_ML_transferred_out",
    "TX_ML_died",
    "TX_ML_stopped",
)
AWAY_FOR: Final = ("TX_RTT_lt3", "TX_RTT_3to5", "TX_RTT_6plus")
TESTED: Final = ("TX_PVLS_D", "TX_PVLS_N", "TX_PVLS_not_suppressed")

REASONS: Final[dict[str, str]] = {
    "months_read_as_days": marked("The supply fits the partner's status if its days are months"),
    "days_read_as_months": marked("The supply fits the partner's status if its months are days"),
    "pickup_not_in_records": marked("The list has a later pick-up than the records"),
    "contact_not_on_list": marked("The records have a later contact than the list"),
    "appointment_later": marked("The records expect the patient later than the supply lasts"),
    "appointment_earlier": marked("The records expect the patient earlier than the supply lasts"),
    "day_boundary": marked("The day of the interruption is one day away from the list's day"),
    "contact_not_readable": marked("The list has a contact that cannot be read"),
    "left_only_on_list": marked("Only the list has a death, transfer or stop"),
    "left_only_in_records": marked("Only the records have a death, transfer or stop"),
    "not_started_in_records": marked("The records have no treatment by that day"),
    "not_on_list": marked("The list does not name the patient"),
    "not_in_records": marked("The patient is no longer on record"),
    "status_not_understood": marked("The platform does not know the list's word for the status"),
    "status_does_not_follow": marked("Both expect the patient on the same day, but the status differs"),
    "expected_day_differs": marked("List and records expect the patient on different days"),
}
"""Likely reasons why the partner's list and the records disagree."""

LIST_STATUSES: Final[dict[str, str]] = {
    "active": marked("On treatment"),
    "active_restart": marked("On treatment again"),
    "iit": marked("Interrupted treatment"),
    "stopped": marked("Stopped treatment"),
    "died": marked("Died"),
    "transferred_out": marked("Transferred out"),
    "invalid": marked("Not a valid record"),
    "unknown": marked("Not known"),
    "none": marked("Not on treatment"),
    "not_on_list": marked("Not on the list"),
}
"""A status of the partner's list, or of the records on its day."""


def period_title(period: Period, as_of: date | None = None) -> str:
    """A period in words, such as ``July to September 2026``, with a mark if its counts end before, on ``as_of``."""
    return _marked(period, _months(period, short=False), as_of)


def period_choice(period: Period, as_of: date | None = None) -> str:
    """A period in a short form, such as ``Jul to Sept 2026``, with a mark if its counts end before, on ``as_of``."""
    return _marked(period, _months(period, short=True), as_of)


def month_label(day: date) -> str:
    """A day under a chart: its month, short."""
    return shown_month(day, year=False, short=True)


def at_end(period: Period, as_of: date) -> str:
    """The term of the people on treatment at the end of a period, or on the day to which its counts run."""
    if as_of >= period.end:
        return _("On treatment at the end")
    return _("On treatment on {day}").format(day=shown_date(as_of))


def runs_until(period: Period) -> str:
    """The last day of a period that goes on after the data date."""
    months = (period.end.year - period.start.year) * 12 + period.end.month - period.start.month + 1
    text = {1: _("The month runs until {day}."), 3: _("The quarter runs until {day}.")}.get(
        months, _("The period runs until {day}.")
    )
    return text.format(day=shown_date(period.end))


def _months(period: Period, *, short: bool) -> str:
    first, last = period.start, period.end
    if (first.year, first.month) == (last.year, last.month):
        return shown_month(last, short=short)
    return _("{first} to {last}").format(
        first=shown_month(first, year=first.year != last.year, short=short), last=shown_month(last, short=short)
    )


def _marked(period: Period, text: str, as_of: date | None) -> str:
    return text if as_of is None or as_of >= period.end else _("{period}, so far").format(period=text)


def share(part: int, whole: int, digits: int = 0) -> str:
    """A part of a whole in percent; ``-`` without a whole."""
    return shown_share(part / whole if whole else None, digits)


def signed(change: int) -> str:
    """A change with its sign."""
    sign = "+" if change > 0 else MINUS if change < 0 else "±"
    return f"{sign}{shown_number(abs(change))}"


def value_of(indicator: str, counts: Mapping[str, int]) -> str:
    """The number of an indicator as it is shown: a count, or the share of the suppressed."""
    if indicator == PVLS:
        return share(counts["TX_PVLS_N"], counts["TX_PVLS_D"])
    return shown_number(counts[indicator])


def label_of(label: str) -> str:
    """The label of a group of age or sex."""
    return {"F": _("Women and girls"), "M": _("Men and boys"), "not recorded": _("not recorded")}.get(label, label)


def left_share(counts: Mapping[str, int], digits: int = 1) -> str:
    """The share of the people on treatment at the start, or started since, who left."""
    return share(counts["TX_ML"], counts["TX_CURR_start"] + counts["TX_NEW"], digits)
