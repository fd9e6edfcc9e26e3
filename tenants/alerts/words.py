"""The words of alerts, for channels and pages: figures and facilities, never a person's data."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from core.web.texts import form_for, marked_forms, ngettext, shown_month, shown_number, shown_share
from core.web.texts import gettext as _

if TYPE_CHECKING:
    from tenants.alerts.models import Alert


def title_of(alert: Alert, facility: str) -> str:
    """Return an alert in one line, in the reader's language.

    Args:
        alert: the alert.
        facility: name of its facility; empty if it has none.
    """
    count = shown_number(alert.count)
    if alert.alert_type == "risk_high":
        text = ngettext("{count} person to call first", "{count} people to call first", alert.count)
    elif alert.alert_type == "late":
        text = ngettext("{count} person is late", "{count} people are late", alert.count)
    elif alert.alert_type == "iit":
        text = ngettext("{count} person newly interrupted", "{count} people newly interrupted", alert.count)
    elif alert.alert_type == "viral_load":
        text = ngettext("{count} laboratory result to act on", "{count} laboratory results to act on", alert.count)
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
