"""Letters that a scheduled report is ready: a link to the page of reports, and nothing of what the report holds.

An event for each recipient commits with the report's file. The job that delivers it checks what the recipient may read
at that moment. Without a mail server nobody gets a letter, and the page shows the report as new.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final
from uuid import UUID

from core import audit, mail
from core.database import require_none, tenant_session
from core.errors import Forbidden, NotFound
from core.events.outbox import publish_after_commit
from core.identity.people.colleagues import reader_of
from core.identity.present import present_principal
from core.identity.principal import actor_of_person
from core.mail.letters import address, compose
from core.web import texts
from core.web.texts import gettext as _
from core.web.texts import shown_date
from tenants.reports import files
from tenants.reports.words import KINDS

if TYPE_CHECKING:
    from email.message import EmailMessage

    from core.database import TenantRef, TenantSession
    from core.events.outbox import Event
    from core.jobs import JobContext
    from tenants.reports.models import ReportFile

EVENT: Final = "reports.made"
PAGE: Final = "/reports"


def publish(session: TenantSession, row: ReportFile) -> None:
    """Have a letter sent to each recipient of the report, once the transaction that stores its file commits."""
    if mail.is_configured():
        for person in row.recipients:
            payload = {"report_id": str(row.uuid), "person_id": str(person)}
            publish_after_commit(session, EVENT, subject=f"{row.uuid}:{person}", payload=payload)


def send(context: JobContext, event: Event) -> None:
    """Send the letter to a recipient who may read the report now. The audit records that, or why there is none."""
    report_id, person = UUID(event.payload["report_id"]), UUID(event.payload["person_id"])
    row, why = _readable_now(context.tenant, report_id, person)
    reader = reader_of(context.tenant, person)
    if row is not None and reader is not None and mail.is_configured():
        with texts.reading_in(texts.known(reader.language, row.options.get("language"))):
            letter = _letter(row, reader.email, context.tenant, event.id)
        require_none("a mail server")
        mail.send(letter)
        why = ""
    with context.session() as session:
        act = "job:report_file:skip" if why else "job:report_file:mail"
        facts = {"person": str(person)} | ({"why": why} if why else {})
        audit.record(session, act, "report_file", report_id, facts)
        context.finish(session)


def _readable_now(tenant: TenantRef, report_id: UUID, person: UUID) -> tuple[ReportFile | None, str]:
    """The report, as a download would find it for the person; or None, and why."""
    principal = present_principal(actor_of_person(person), tenant)
    if principal is None:
        return None, "left"
    with tenant_session(tenant, actor=principal.actor, reach=principal.reach) as session:
        try:
            row = files.find(session, principal.permissions, report_id)
        except NotFound:
            return None, "reach"
        except Forbidden:
            return None, "permission"
        session.expunge(row)
    return (row, "no mail server") if files.state_of(row) == "made" else (None, "expired")


def _letter(row: ReportFile, email: str, tenant: TenantRef, letter_id: UUID) -> EmailMessage:
    as_of = row.options.get("as_of")
    when = str(row.options.get("period")) if as_of is None else shown_date(date.fromisoformat(as_of))
    report = ", ".join((_(KINDS[row.kind]), when))
    paragraphs = [
        _("A new report of {partner} is ready: {report}.").format(partner=tenant.name, report=report),
        _("Sign in here to download it:"),
        address(PAGE),
    ]
    if row.expires_at is not None:
        day = shown_date(row.expires_at.date())
        paragraphs.append(_("It is removed on {day}.").format(day=day))
    paragraphs.append(_("You get this letter because a schedule of reports names you."))
    subject = _("{partner}: a new report is ready").format(partner=tenant.name)
    return compose(email, subject, paragraphs, letter_id=letter_id, language=texts.language())
