"""One-time links by mail: the act publishes an event, and a job sends the letter after the act has committed.

The event carries the link's secret sealed with the tenant's key, and no address: the job reads the person's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import text

from core import mail
from core.clock import now
from core.database import platform_session, require_none
from core.errors import Unavailable
from core.events.outbox import publish_after_commit
from core.identity.people.letters import Delivery
from core.mail.letters import address, compose
from core.privacy.sealing import seal, unseal
from core.web import texts
from core.web.texts import gettext as _

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage
    from typing import Any

    from core.database import TenantRef, TenantSession
    from core.events.outbox import Event
    from core.identity.people.links import Link

EVENT: Final = "people.link_created"
_PURPOSE: Final = "link"
_LETTER: Final = text(
    "SELECT p.email, CASE WHEN m.accepted_at IS NULL THEN coalesce(m.invited_name, p.name) ELSE p.name END AS name,"
    " coalesce(p.language, m.invited_language, r.language) AS language, l.purpose, l.expires_at"
    " FROM platform.one_time_links l JOIN platform.people p ON p.id = l.person_id"
    " LEFT JOIN platform.memberships m ON m.person_id = p.id AND m.tenant_id = l.tenant_id"
    " LEFT JOIN platform.sign_in_rules r ON r.tenant_id = l.tenant_id WHERE l.id = :id AND l.tenant_id = :tenant"
    " AND l.used_at IS NULL AND l.revoked_at IS NULL AND l.expires_at > :now AND p.state = 'active'"
)

_EXISTS: Final = text("SELECT 1 FROM platform.one_time_links WHERE id = :id")
_COMMITTED_WITHIN: Final = timedelta(minutes=1)


def publish_link(session: TenantSession, link: Link, person_id: UUID) -> None:
    """Have the link sent to its person, once the caller's transaction commits. Without a mail server nothing happens.

    The letter is in the person's language, else in the tenant's, else in that of the request.
    """
    if not mail.is_configured():
        return
    sealed = seal(session, _PURPOSE, link.id, link.path)
    payload = {"link_id": str(link.id), "sealed": sealed, "language": texts.language()}
    publish_after_commit(session, EVENT, subject=str(person_id), payload=payload)


def send_link(context: Delivery, event: Event) -> None:
    """Send the letter with a link, unless the link was used, revoked or has expired meanwhile.

    Raises:
        Unavailable: the act has not committed the link yet; the delivery is tried again.
    """
    link_id = UUID(event.payload["link_id"])
    with context.session() as session:
        path = unseal(session, _PURPOSE, link_id, event.payload["sealed"])
    with platform_session() as platform:
        facts = platform.execute(_LETTER, {"id": link_id, "tenant": context.tenant.id, "now": now()}).mappings().first()
        absent = facts is None and platform.execute(_EXISTS, {"id": link_id}).first() is None
    if absent and now() - event.published_at < _COMMITTED_WITHIN:
        # A request with an Idempotency-Key commits the event in the tenant's schema before the link in ``platform``.
        detail = "the link of the letter is not committed yet"
        raise Unavailable(detail)
    if facts is not None and mail.is_configured():
        with texts.reading_in(texts.known(facts["language"], event.payload["language"])):
            letter = _letter(facts, path, context.tenant, event.id)
        require_none("a mail server")
        mail.send(letter)
    with context.session() as session:
        context.finish(session)


def _letter(facts: Mapping[Any, Any], path: str, tenant: TenantRef, event_id: UUID) -> EmailMessage:
    moment = texts.shown_time(facts["expires_at"], ZoneInfo(tenant.time_zone))
    if facts["purpose"] == "invitation":
        subject = _("{partner} invites you").format(partner=tenant.name)
        request = _("{partner} invites you to work with it. Open this address to accept:").format(partner=tenant.name)
    else:
        subject = _("Your new password for {partner}").format(partner=tenant.name)
        request = _("Open this address to choose a new password for {partner}:").format(partner=tenant.name)
    lines = (
        _("Hello {name},").format(name=facts["name"]),
        request,
        address(path),
        _("The address works one time, until {time}. Give it to nobody.").format(time=moment),
        _("If you do not know what this is, delete this letter."),
    )
    return compose(facts["email"], subject, lines, letter_id=event_id, language=texts.language())
