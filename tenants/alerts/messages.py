"""What a channel gets of an alert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast

from core.mail.letters import address
from core.tenancy import settings as tenant_settings
from core.web.texts import gettext as _
from core.web.texts import reading_in, shown_date
from plugins.sdk import Alert as Message
from tenants.alerts.kinds import KINDS
from tenants.alerts.settings import AlertSettings
from tenants.alerts.words import title_of
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
    kind = KINDS[alert.alert_type]
    with reading_in(tenant_settings.get(session, AlertSettings).channel_language):
        text = _("Data to {day}.").format(day=shown_date(alert.data_date)) if alert.data_date else ""
        title, rule = title_of(alert, name), _(kind.title)
    return Message(
        id=str(alert.uuid),
        act=cast('Literal["trigger", "acknowledge", "resolve"]', act),
        key=key_of(alert),
        severity=cast('Literal["info", "low", "medium", "high", "critical"]', alert.severity),
        title=title,
        text=text,
        url=address(f"/alerts/{alert.uuid}"),
        stream=cast('Literal["clinical", "platform"]', alert.stream),
        facility=name,
        count=max(1, alert.count),
        occurred_at=alert.created_at,
        facts={"rule": rule},
        reference=reference,
    )
