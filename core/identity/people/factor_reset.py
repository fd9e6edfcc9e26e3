"""The second factor of a person who lost it: an admin or an operator removes it, and a letter tells the person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from sqlalchemy import text

from core import mail
from core.database import TenantRef, platform_session, require_none, tenant_session
from core.errors import Forbidden, NotFound
from core.events.outbox import publish_after_commit
from core.identity.people import second_factor, sessions, sign_in_events
from core.identity.people.letters import Delivery
from core.identity.tenants import JOINED, USABLE
from core.mail.letters import compose
from core.web import texts
from core.web.texts import gettext as _

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage

    from sqlmodel import Session

    from core.events.outbox import Event

EVENT: Final = "people.second_factor_reset"
_ELSEWHERE: Final = text(
    "SELECT 1 FROM platform.memberships"
    " WHERE person_id = :person AND tenant_id <> :tenant AND accepted_at IS NOT NULL LIMIT 1"
)
_PLACE: Final = text(
    "SELECT t.id, t.slug, t.name, t.schema_name, t.role_name, t.database, t.state, t.time_zone"  # noqa: S608 - a constant
    " FROM platform.memberships m JOIN platform.tenants t ON t.id = m.tenant_id"
    f" WHERE m.person_id = :person AND {JOINED} AND {USABLE} ORDER BY t.id LIMIT 1"
)
_RECIPIENT: Final = text(
    "SELECT p.email, p.name, coalesce(p.language, r.language) AS language FROM platform.people p"
    " LEFT JOIN platform.sign_in_rules r ON r.tenant_id = :tenant WHERE p.id = :person AND p.state = 'active'"
)


def reset(person_id: UUID, *, actor: str, source: str, tenant: TenantRef | None = None) -> None:
    """Remove the second factor of a person who lost it. All their sessions end.

    Without one, the person signs in with the password, and sets it up again where it is required. A letter tells them,
    where a mail server is set; an operator of the installation, who has no tenant, gets none.

    Args:
        person_id: who lost it.
        actor: who resets it.
        source: ``api``, ``cli`` or ``page``.
        tenant: whose admin resets it; None for the operator of the installation.

    Raises:
        NotFound: there is no such person, or it is off.
        Forbidden: an admin resets it, and the person belongs to other tenants too, active or not.
    """
    with platform_session() as session:
        row = second_factor.locked_state(session, person_id)
        if tenant is not None:
            reject_elsewhere(session, person_id, tenant)
        if row.confirmed_at is None:
            detail = "the person has no second factor"
            raise NotFound(detail)
        second_factor.delete(session, person_id)
        sessions.end_all(session, person_id)
        sign_in_events.note(session, person_id, f"{source}:person:second_factor_reset", actor=actor)
        _publish(session, person_id, actor, tenant)
    sign_in_events.copy_of(person_id)


def reject_elsewhere(session: Session, person_id: UUID, tenant: TenantRef) -> None:
    """Reject an act on how a person signs in, if they belong to another tenant as well.

    Tenants that are suspended count, and so do those that deactivated the person.

    Raises:
        Forbidden: they do (403).
    """
    if session.execute(_ELSEWHERE, {"person": person_id, "tenant": tenant.id}).first() is not None:
        detail = "this account belongs to other tenants too"
        raise Forbidden(detail, remedy="Ask the operator of the installation.")


def _publish(session: Session, person_id: UUID, actor: str, tenant: TenantRef | None) -> None:
    """Have a letter sent. It commits just before the reset: a letter too many is better than none."""
    if not mail.is_configured():
        return
    place = tenant
    if place is None:
        row = session.execute(_PLACE, {"person": person_id}).mappings().first()
        place = None if row is None else TenantRef.of(row)
    if place is not None:
        with tenant_session(place, actor=actor) as scope:
            publish_after_commit(scope, EVENT, subject=str(person_id), payload={"language": texts.language()})


def send_notice(context: Delivery, event: Event) -> None:
    """Tell the person by mail that their second factor was removed."""
    values = {"person": UUID(event.subject), "tenant": context.tenant.id}
    with platform_session() as platform:
        person = platform.execute(_RECIPIENT, values).mappings().first()
    if person is not None and mail.is_configured():
        require_none("a mail server")
        mail.send(_notice(person, context.tenant, event))
    with context.session() as session:
        context.finish(session)


def _notice(person: Mapping[Any, Any], tenant: TenantRef, event: Event) -> EmailMessage:
    with texts.reading_in(texts.known(person["language"], event.payload["language"])):
        subject = _("Your second factor for {partner} was removed").format(partner=tenant.name)
        lines = (
            _("Hello {name},").format(name=person["name"]),
            _("An administrator removed the second factor of your account, and ended your sessions."),
            _("Sign in with your password. Set up the second factor again under Your account."),
            _("If you did not ask for this, tell your administrator at once."),
        )
        return compose(person["email"], subject, lines, letter_id=event.id, language=texts.language())
