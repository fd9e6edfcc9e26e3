"""A message of the demo and its answer, both simulated: nothing leaves this machine, and no phone rings.

The reminder is stored as a gateway's report of its delivery would leave it. The answer takes the way of every answer
that a gateway hands in: it finds the message, is understood, and becomes an outcome.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid5

from sqlmodel import col, select

from core.clock import now
from core.database import tenant_session
from core.privacy import vault
from core.tenancy import list_tenants
from core.tenancy import settings as tenant_settings
from plugins.sdk import IncomingSms
from tenants.demo.past import AT_RISK, CASE_MANAGER, NAMESPACE
from tenants.followup.models import Intervention
from tenants.messages import consents, incoming, templates
from tenants.messages.models import Communication
from tenants.messages.schemas import ConsentPost, TemplatePost
from tenants.messages.segments import size_of
from tenants.messages.settings import MessageSettings
from tenants.records.service import patient_of_id

if TYPE_CHECKING:
    from core.database import TenantSession
    from tenants.demo.partner_run import PartnerRun
    from tenants.demo.sign_ins import SignIns

GATEWAY: Final = uuid5(NAMESPACE, "gateway")
"""Of no instance: the demo has no gateway."""
PHONE: Final = "+2348000000999"
ANSWER: Final = "1"
_PURPOSE: Final = "reminders"
_KEY: Final = "demo:message"


def exchange_message(partner_run: PartnerRun, sign_ins: SignIns) -> None:
    """Let a person at risk whom nobody tried yet answer a reminder, and store what became of it as ``message``.

    A second time changes nothing. Only simulated partners have one.
    """
    people = partner_run.answers["worklist"]["at_risk"]["people"]
    place = next(place for place in range(len(people) + 1) if place not in AT_RISK)
    if not partner_run.partner.simulated or place >= len(people):
        return
    person = people[place]
    slug = partner_run.partner.slug
    tenant = next(each for each in list_tenants() if each.slug == slug)
    with tenant_session(tenant, actor=sign_ins.of(slug, CASE_MANAGER).actor) as session:
        row = _stored(session)
        if row is None:
            row = _reminder(session, UUID(person["patient_id"]), date.fromisoformat(person["expected_date"]))
            incoming.take(session, GATEWAY, IncomingSms(PHONE, ANSWER, ""))
        partner_run.answers["message"] = {"simulated": True, **_outcome(session, row)}


def _stored(session: TenantSession) -> Communication | None:
    return session.exec(select(Communication).where(Communication.dedupe_key == _KEY)).first()


def _reminder(session: TenantSession, patient_id: UUID, contact: date) -> Communication:
    """Store the person's consent, the text, and the reminder as it was delivered."""
    settings = tenant_settings.get(session, MessageSettings)
    if not settings.code_word:
        settings = settings.model_copy(update={"code_word": "Sunrise", "phone": "0800 000 0000"})
        tenant_settings.put(session, settings)
    template = templates.active(session, _PURPOSE, ["en"])
    if template is None:
        body = templates.EXAMPLES["en"]
        template = templates.save(session, TemplatePost(purpose=_PURPOSE, language="en", body=body))
    consent = consents.decide(session, patient_id, ConsentPost(purpose=_PURPOSE, agrees=True, source="verbal"))
    patient = patient_of_id(session, patient_id)
    text = templates.rendered(template.body, templates.values_of(settings, contact))
    row = Communication(
        patient_uuid=patient.uuid,
        facility_uuid=patient.facility_uuid,
        communication_type="sms",
        channel="sms",
        status="delivered",
        purpose=_PURPOSE,
        template=f"{_PURPOSE}:en",
        template_version=str(template.version),
        language="en",
        consent_basis=consents.basis_of(consent),
        contact_date=contact,
        recipient_bidx=vault(session).blind_index("phone", PHONE),
        segments=size_of(text).segments,
        dedupe_key=_KEY,
        provider="simulated",
        sent_at=now(),
        delivered_at=now(),
        created_by=session.actor,
    )
    row.body_enc = vault(session).encrypt(patient.uuid, "communications", "body_enc", row.uuid, text)
    session.add(row)
    session.flush()
    return row


def _outcome(session: TenantSession, row: Communication) -> dict[str, Any]:
    """The texts, and the outcome of the attempt that the answer became."""
    query = select(Communication).where(col(Communication.reply_to_uuid) == row.uuid)
    reply = session.exec(query.execution_options(populate_existing=True)).one()
    attempt = session.get(Intervention, reply.intervention_uuid)
    sealed = row.body_enc or b""
    return {
        "patient_id": str(row.patient_uuid),
        "text": vault(session).decrypt(row.patient_uuid, "communications", "body_enc", row.uuid, sealed),
        "answer": ANSWER,
        "outcome": None if attempt is None else attempt.outcome,
    }
