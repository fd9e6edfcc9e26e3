"""Letters that a schedule of reports has stopped: to the person who made it, with the reason and what to do.

A person who has left gets none. Without a mail server nobody does; the page of reports shows it in any case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from core import audit, mail
from core.database import require_none
from core.events.outbox import publish_after_commit
from core.identity.people.colleagues import reader_of
from core.identity.present import present_principal
from core.identity.principal import person_of_actor
from core.mail.letters import address, compose
from core.web import texts
from core.web.texts import gettext as _
from tenants.reports.letters import PAGE
from tenants.reports.models import ReportSchedule
from tenants.reports.words import KINDS, why_stopped

if TYPE_CHECKING:
    from email.message import EmailMessage

    from core.database import TenantRef, TenantSession
    from core.events.outbox import Event
    from core.jobs import JobContext

EVENT: Final = "reports.schedule_stopped"


def publish(session: TenantSession, row: ReportSchedule) -> None:
    """Have a letter sent to the creator of a schedule that stops, once the transaction commits."""
    if mail.is_configured() and person_of_actor(row.created_by) is not None:
        publish_after_commit(session, EVENT, subject=str(row.uuid), payload={"schedule_id": str(row.uuid)})


def send(context: JobContext, event: Event) -> None:
    """Send the letter, if the creator has not left and the schedule is still there. The audit records it."""
    schedule_id = UUID(event.payload["schedule_id"])
    with context.session() as session:
        row = session.get(ReportSchedule, schedule_id)
        if row is None or row.stopped_why is None:
            context.finish(session)
            return
        session.expunge(row)
    is_member = present_principal(row.created_by, context.tenant) is not None
    person = person_of_actor(row.created_by)
    reader = reader_of(context.tenant, person) if is_member and person is not None else None
    sent = reader is not None and mail.is_configured()
    if reader is not None and sent:
        with texts.reading_in(texts.known(reader.language, row.options.get("language"))):
            letter = _letter(row, row.stopped_why, reader.email, context.tenant, event.id)
        require_none("a mail server")
        mail.send(letter)
    with context.session() as session:
        if sent:
            audit.record(session, "job:report_schedule:mail", "report_schedule", schedule_id, {"person": str(person)})
        context.finish(session)


def _letter(row: ReportSchedule, why: str, email: str, tenant: TenantRef, letter_id: UUID) -> EmailMessage:
    paragraphs = [
        _("A schedule of reports of {partner} has stopped: {report}.").format(
            partner=tenant.name, report=_(KINDS[row.kind])
        ),
        why_stopped(why),
        _("Sign in here to schedule it again:"),
        address(PAGE),
        _("You get this letter because you made the schedule."),
    ]
    subject = _("{partner}: a schedule of reports has stopped").format(partner=tenant.name)
    return compose(email, subject, paragraphs, letter_id=letter_id, language=texts.language())
