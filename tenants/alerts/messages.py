"""What a channel gets of an alert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import urlencode

from core.mail.letters import address
from core.tenancy import settings as tenant_settings
from core.web.texts import gettext as _
from core.web.texts import reading_in, shown_date, shown_number
from plugins.sdk import Alert as Message
from tenants.alerts.kinds import DIGEST, KINDS
from tenants.alerts.settings import AlertSettings
from tenants.alerts.words import counted, digest_title, title_of
from tenants.records.models import Facility

if TYPE_CHECKING:
    from core.database import TenantSession
    from tenants.alerts.models import Alert

PREFIX = "iit-"


def key_of(alert: Alert) -> str:
    """Return the key by which receivers recognize an alert."""
    return f"{PREFIX}{alert.uuid}"


def message_of(session: TenantSession, alert: Alert, act: str, reference: str = "") -> Message:
    """Return an alert as a channel gets it, in the language that the tenant chose for channels.

    Args:
        session: a transaction of the tenant.
        alert: the alert.
        act: what happened.
        reference: the receiver's id of the first message about it; empty if unknown.
    """
    facility = None if alert.facility_uuid is None else session.get(Facility, alert.facility_uuid)
    name = "" if facility is None else facility.name or facility.datim_id
    path = f"/alerts/{alert.uuid}"
    with reading_in(tenant_settings.get(session, AlertSettings).channel_language):
        text = _("Data to {day}.").format(day=shown_date(alert.data_date)) if alert.data_date else ""
        if alert.alert_type == DIGEST:
            counts = _counts(alert)
            title, path = digest_title(counts, name), _list_of(facility, act)
            facts = {_(KINDS[rule].title): shown_number(count) for rule, count in counts.items()}
            text = "\n".join(filter(None, (*(counted(rule, count) for rule, count in counts.items()), text)))
        else:
            title, facts = title_of(alert, name), {"rule": _(KINDS[alert.alert_type].title)}
    return Message(
        id=str(alert.uuid),
        act=cast('Literal["trigger", "acknowledge", "resolve"]', act),
        key=key_of(alert),
        severity=cast('Literal["info", "low", "medium", "high", "critical"]', alert.severity),
        title=title,
        text=text,
        url=address(path),
        stream=cast('Literal["clinical", "platform"]', alert.stream),
        facility=name,
        count=max(1, alert.count),
        occurred_at=alert.created_at,
        facts=facts,
        reference=reference,
    )


def _counts(digest: Alert) -> dict[str, int]:
    """The people of each rule of a digest, in the order of the rules."""
    return {rule: digest.facts["rules"][rule] for rule in KINDS if rule in digest.facts["rules"]}


def _list_of(facility: Facility | None, act: str) -> str:
    """The path of the alerts that a digest stands for."""
    place = {} if facility is None else {"facility": facility.datim_id}
    query = urlencode({**place, **({"status": "all"} if act == "resolve" else {})})
    return f"/alerts?{query}" if query else "/alerts"
