"""The words of alerts, for channels and pages: figures and facilities, never a person's data."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from core.web.texts import form_for, marked_forms, ngettext, shown_month, shown_number, shown_share
from core.web.texts import gettext as _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenants.alerts.models import Alert

_COUNTED: Final = {
    "risk_high": marked_forms("{count} person to call first", "{count} people to call first"),
    "late": marked_forms("{count} person is late", "{count} people are late"),
    "iit": marked_forms("{count} person newly interrupted", "{count} people newly interrupted"),
    "viral_load": marked_forms("{count} laboratory result to act on", "{count} laboratory results to act on"),
}
_DRIFTED: Final = {
    "features": marked_forms("{count} feature has drifted: {names}", "{count} features have drifted: {names}"),
    "records": marked_forms(
        "{count} feature is recorded less or more: {names}", "{count} features are recorded less or more: {names}"
    ),
    "facilities": marked_forms(
        "Records of {count} clinic have changed: {names}", "Records of {count} clinics have changed: {names}"
    ),
    "parity": marked_forms(
        "{count} feature has other values online: {names}", "{count} features have other values online: {names}"
    ),
}
_SHORT: Final = {
    "risk_high": marked_forms("{count} to call first", "{count} to call first"),
    "late": marked_forms("{count} late", "{count} late"),
    "iit": marked_forms("{count} newly interrupted", "{count} newly interrupted"),
    "viral_load": marked_forms("{count} laboratory result", "{count} laboratory results"),
}


def counted(rule: str, count: int) -> str:
    """Return how many people a rule about people has found, in the reader's language."""
    return ngettext(*_COUNTED[rule], count)


def digest_title(counts: Mapping[str, int], facility: str) -> str:
    """Return a digest in one line, which an SMS can hold.

    Args:
        counts: rule -> people, in order; not empty.
        facility: name of the facility.
    """
    if len(counts) == 1:
        ((rule, count),) = counts.items()
        line = counted(rule, count)
        return f"{line} ({facility})" if facility else line
    line = ", ".join(ngettext(*_SHORT[rule], count) for rule, count in counts.items())
    return _("{facility}: {counts}").format(facility=facility, counts=line) if facility else line


def title_of(alert: Alert, facility: str) -> str:
    """Return an alert in one line, in the reader's language.

    Args:
        alert: the alert.
        facility: name of its facility; empty if it has none.
    """
    count = shown_number(alert.count)
    if alert.alert_type in _COUNTED:
        text = counted(alert.alert_type, alert.count)
    elif alert.alert_type == "no_data" and "source" in alert.facts:
        text = _("No new file comes from {source}")
    elif alert.alert_type == "no_data":
        text = ngettext("{count} facility sends no data", "{count} facilities send no data", alert.count)
    elif alert.alert_type == "dead_jobs":
        forms = marked_forms("{count} job failed: {subject}", "{count} jobs failed: {subject}")
        text = form_for(*forms, alert.count)  # ngettext fills in the count, and knows no subject
    elif alert.alert_type == "drift":
        text = _drift(alert)
    elif alert.alert_type == "plugin_failing":
        text = _("A plugin keeps failing: {subject}")
    else:
        text = _("{count} % of a quota are used: {subject}")
    line = text.format(count=count, subject=alert.subject, source=alert.facts.get("source", ""))
    return f"{line} ({facility})" if facility else line


def _drift(alert: Alert) -> str:
    what = alert.facts.get("what")
    if what == "scores":
        return _("The scores have drifted from those of the half-year before")
    if what == "ranking":
        month = shown_month(date.fromisoformat(alert.facts["names"][0]))
        return _("The scores of {month} rank people far less well than when the model was trained").format(month=month)
    if what == "roll_back":
        version, former = alert.facts["names"]
        text = _("Model {version} did worse after its promotion and was rolled back: {former} serves again")
        return text.format(version=version, former=former)
    if what in _DRIFTED:
        names = ", ".join(map(str, alert.facts["names"]))
        if alert.count > len(alert.facts["names"]):
            names += ", \N{HORIZONTAL ELLIPSIS}"
        line = form_for(*_DRIFTED[what], alert.count)
        return line.format(count=shown_number(alert.count), names=names)
    if "predicted" not in alert.facts:
        return _("Records or scores have drifted: {subject}")
    predicted, interrupted = alert.facts["predicted"], alert.facts["interrupted"]
    if interrupted > predicted:
        text = _("More people interrupt treatment than predicted: {interrupted} instead of {predicted} in {month}")
    else:
        text = _("Fewer people interrupt treatment than predicted: {interrupted} instead of {predicted} in {month}")
    month = shown_month(date.fromisoformat(alert.facts["month"]))
    return text.format(
        interrupted=shown_share(interrupted / 100, 1), predicted=shown_share(predicted / 100, 1), month=month
    )
