"""Words of the pages of settings: names of settings, and of the values that a person chooses."""

from __future__ import annotations

from typing import Final

from core.preferences.registry import label_of
from core.web.texts import LANGUAGES, marked
from core.web.texts import gettext as _
from tenants.portal.admin_words import ROLES

LABELS: Final[dict[str, str]] = {
    "grace_days": marked("days of grace"),
    "reporting_lag_days": marked("days to record an outcome"),
    "longest_ahead_days": marked("most days ahead of an appointment"),
    "longest_supply_days": marked("most days of a supply"),
    "completeness.window_days": marked("days of a window of contacts"),
    "completeness.minimum_contacts": marked("fewest contacts to judge a facility by itself"),
    "completeness.share": marked("share of the usual contacts"),
    "completeness.reference_days": marked("days from which the usual number is taken"),
    "completeness.silence": marked("contacts missed until reporting counts as stopped"),
    "completeness.stale_after_days": marked("days until records are too old"),
    "predictions": marked("days that scores stay"),
    "quality_reports": marked("days that reports on quality stay"),
    "rejected_rows": marked("days that rejected rows stay"),
    "report_files": marked("days that the list of reports stays"),
    "waiting_rows": marked("days that waiting rows stay"),
    "training_years": marked("years of records to train on"),
    "training_units": marked("most contacts to train on"),
    "capacity_share": marked("share of people to call"),
    "language": marked("language of pages and letters"),
    "share_out": marked("share out lists as soon as they are made"),
    "pvls_minimum_months": marked("months on ART before a viral load counts"),
    "start_when_missing": marked("start of treatment where none is recorded"),
    "expected_from": marked("what sets the expected contact"),
    "expected_by": marked("day of the expected contact"),
    "rule": marked("days to the next contact"),
    "rule.fixed.days": marked("days between contacts"),
    "rule.schedule.by": marked("stages are counted in"),
    "rule.schedule.bands": marked("stages"),
    "rule.usual_interval.default_days": marked("days until enough intervals are known"),
    "rule.usual_interval.window": marked("intervals that count"),
    "rule.usual_interval.minimum": marked("fewest intervals"),
    "rule.usual_interval.statistic": marked("how intervals are joined"),
    "rule.usual_interval.shortest": marked("fewest days"),
    "rule.usual_interval.longest": marked("most days"),
    "keep_days": marked("days that files of reports stay"),
    "dhis2": marked("places of counts in DHIS2"),
    "confirmed": marked("confirmed facilities"),
    "aliases": marked("other codes of facilities"),
    "second_factor_roles": marked("roles that need a second factor"),
    "capacity": marked("people a day at each clinic"),
    "active": marked("send messages to patients"),
    "gateway": marked("gateway"),
    "region": marked("country of phones"),
    "code_word": marked("code word"),
    "phone": marked("phone that patients call"),
    "days_before": marked("days before the contact"),
    "first_hour": marked("first hour of the day"),
    "last_hour": marked("hour at which sending ends"),
    "free_weekdays": marked("days of the week without messages"),
    "holidays": marked("days without messages"),
    "most_per_day": marked("most messages to a phone in a day"),
    "most_segments": marked("most parts of a message"),
    "unmatched_messages": marked("days that messages of unknown phones stay"),
    "reasons": marked("reasons shown with a score"),
    "horizon_days": marked("days ahead of the list at risk"),
    "quiet_hours": marked("wait for the end of quiet hours"),
    "quiet_from": marked("quiet hours begin"),
    "quiet_until": marked("quiet hours end"),
    "quiet_weekends": marked("quiet weekends"),
    "channel_language": marked("language of alerts in channels"),
}
"""Dotted name -> label, where the name alone would not be understood."""

GROUPS: Final[dict[str, str]] = {
    "alerts": marked("Alerts"),
    "cohort": marked("Contacts and status"),
    "facilities": marked("Facilities"),
    "followup": marked("Follow-up"),
    "reports": marked("Reports"),
    "retention": marked("How long rows stay"),
    "messages": marked("Messages to patients"),
    "risk": marked("Risk and lists"),
    "sign_in": marked("Sign-in"),
}
"""Name of a group -> what pages call it."""

PAGES: Final[dict[tuple[str, str], tuple[str, str, str]]] = {
    ("alerts", "holidays"): ("/alerts/holidays", marked("Holidays"), marked("See and change the holidays")),
}
"""(group, dotted name) of a setting with a page of its own -> the page's address, the setting's label, the link."""

MEANINGS: Final[dict[str, str]] = {
    "share_out": marked(
        "People keep the officer they have. The others go to the officers with capacity at their clinic, the first in"
        " rank first, each to the one with the smallest load. No: somebody shares the lists out on Work, Team."
    ),
    "expected_from": marked("Whether each contact sets the next expected one, or each booking is an expected contact."),
    "expected_by": marked("Which day counts where both an appointment and a supply of drugs are recorded."),
    "rule.schedule.bands": marked(
        "One stage on each line, as start = days: 0 = 30, then 6 = 90 means every 30 days, and every 90 from 6 on."
    ),
    "capacity_share": marked(
        "Share of a clinic's people at risk whom its trackers can call, such as 0.3. The rest come after them on lists."
    ),
    "capacity": marked("How many people a list has for each clinic: as many as its trackers can reach in a day."),
    "horizon_days": marked("The list at risk has people who are due within this many days. 365: everybody."),
    "dhis2": marked("Paste the mapping that your DHIS2 team gave you. Empty: no files for DHIS2."),
    "second_factor_roles": marked(
        "Whoever has one of these roles gives a code of an app besides the password. People who sign in by your own"
        " provider are asked there."
    ),
    "confirmed": marked("Codes of facilities that are new, although like known ones; one on each line."),
    "aliases": marked("Codes in files that mean a known facility; one on each line, as code in the file = code here."),
}
"""Dotted name -> what the page says of a setting, where the model's description speaks to programs."""

CHOICES: Final[dict[tuple[str, str], str]] = {
    ("expected_from", "contacts"): marked("Each contact"),
    ("expected_from", "bookings"): marked("Each booking"),
    ("expected_by", "later"): marked("The later of the two"),
    ("expected_by", "earlier"): marked("The earlier of the two"),
    ("expected_by", "appointment"): marked("The appointment"),
    ("expected_by", "supply"): marked("The end of the supply"),
    ("expected_by", "stock"): marked("The end of the supply, with the days left over"),
    ("start_when_missing", "first_contact"): marked("At the first contact"),
    ("start_when_missing", "first_pickup"): marked("At the first refill"),
    ("start_when_missing", "never"): marked("Never"),
    ("rule", "fixed"): marked("The same for everybody"),
    ("rule", "schedule"): marked("By stage of treatment"),
    ("rule", "usual_interval"): marked("By the person's own usual interval"),
    ("rule.schedule.by", "months_on_art"): marked("Months on ART"),
    ("rule.schedule.by", "contact_number"): marked("Contacts"),
    ("rule.usual_interval.statistic", "median"): marked("Their median"),
    ("rule.usual_interval.statistic", "trimmed_mean"): marked("Their mean without extremes"),
}
"""(dotted name, value) -> what the page calls the value."""


def group_words(name: str) -> str:
    """What pages call a group of settings."""
    return _(GROUPS[name]) if name in GROUPS else _(label_of(name)).capitalize()


def label_words(name: str) -> str:
    """What the page calls a setting with a dotted name, with a capital."""
    text = _(LABELS[name]) if name in LABELS else _(label_of(name))
    return f"{text[:1].upper()}{text[1:]}"


def meaning_words(name: str, description: str) -> str:
    """What the page says of a setting whose model has this description."""
    return _(MEANINGS.get(name, description))


def choice_words(name: str, value: str) -> str:
    """What the page calls a value of a setting."""
    if (name, value) in CHOICES:
        return _(CHOICES[name, value])
    if value in ("true", "false"):
        return _("Yes") if value == "true" else _("No")
    if name == "second_factor_roles":
        return _(ROLES[value]) if value in ROLES else value
    return LANGUAGES.get(value, value)
