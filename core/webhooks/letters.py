"""A letter to the admins of a tenant whose last active webhook was disabled: no other webhook hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import uuid5

from sqlalchemy import text

from core import mail
from core.database import platform_session, require_none
from core.identity.people.letters import Delivery
from core.identity.roles import ADMIN
from core.identity.tenants import JOINED
from core.mail.letters import address, compose
from core.web import texts
from core.web.texts import gettext as _

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage
    from typing import Any
    from uuid import UUID

    from core.database import TenantRef
    from core.events.outbox import Event

_STATES: Final = (
    "SELECT url, EXISTS (SELECT FROM webhook_endpoints WHERE state = 'active') FROM webhook_endpoints"
    " WHERE id = %s AND state = 'disabled'"
)
_ADMINS: Final = text(
    "SELECT p.id, p.email, p.name, coalesce(p.language, r.language) AS language"  # noqa: S608 - a constant
    " FROM platform.memberships m JOIN platform.people p ON p.id = m.person_id"
    " LEFT JOIN platform.sign_in_rules r ON r.tenant_id = m.tenant_id"
    f" WHERE m.tenant_id = :tenant AND :admin = ANY(m.roles) AND {JOINED} AND p.state = 'active' ORDER BY p.id"
)


def send_notice(context: Delivery, event: Event) -> None:
    """Write to each admin that the tenant's last webhook was disabled; nothing if another one is still active."""
    endpoint_id = event.payload["endpoint_id"]
    with context.session() as session:
        row = session.cursor().execute(_STATES, (endpoint_id,)).fetchone()
    if mail.is_configured() and row is not None and not row[1]:
        with platform_session() as platform:
            admins = platform.execute(_ADMINS, {"tenant": context.tenant.id, "admin": ADMIN}).mappings().all()
        require_none("a mail server")
        for admin in admins:
            mail.send(_letter(admin, context.tenant, event, str(row[0])))
    with context.session() as session:
        context.finish(session)


def _letter(admin: Mapping[Any, Any], tenant: TenantRef, event: Event, url: str) -> EmailMessage:
    person: UUID = admin["id"]
    with texts.reading_in(texts.known(admin["language"])):
        why = (
            _("The receiver answered that it is gone.")
            if event.payload["reason"] == "gone"
            else _("Every delivery to it has failed for 5 days.")
        )
        lines = (
            _("Hello {name},").format(name=admin["name"]),
            _("The webhook to {url} is stopped, and no other webhook is active.").format(url=url),
            why,
            _("Correct the receiver, then enable the webhook: {address}").format(
                address=address(f"/admin/webhooks/{event.payload['endpoint_id']}")
            ),
        )
        subject = _("The webhook of {partner} is stopped").format(partner=tenant.name)
        letter_id = uuid5(event.id, str(person))  # the same letter, sent again after a crash, has the same id
        return compose(admin["email"], subject, lines, letter_id=letter_id, language=texts.language())
