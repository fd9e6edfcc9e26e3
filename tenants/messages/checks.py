"""What a message must pass before it is sent: consent, care, phone, limits, template and covert words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from core.clock import today
from core.database import lock_own
from core.privacy import vault
from core.tenancy import settings as tenant_settings
from tenants.cohort.service import patient_status
from tenants.followup.outcomes import OUTCOMES
from tenants.messages import consents, gateway, phones, templates
from tenants.messages.numbers import has_several
from tenants.messages.segments import size_of
from tenants.messages.settings import MessageSettings
from tenants.records.days import start_of_day
from tenants.records.identities import canonical_of, members_of
from tenants.records.personal import legible_patient
from tenants.records.repository import patient_as_of

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from core.database import TenantSession
    from tenants.messages.models import Communication

REASONS: Final = (
    "switched_off", "no_patient", "no_consent", "left_care", "came", "too_late", "no_phone", "wrong_number",
    "opted_out", "shared_phone", "daily_limit", "no_template", "not_covert", "too_long", "quiet", "person", "plan",
)  # fmt: skip
"""Why a message is cancelled."""
CAME_WITHIN: Final = timedelta(days=7)
"""An attempt that found the patient back this long before the expected contact cancels its reminders."""
_AWAY: Final = ("died", "transferred_out", "moved", "refused")
_LAST: Final = """
SELECT outcome, outcome_date, returned_on FROM interventions
WHERE patient_uuid = ANY(%s) AND NOT voided AND outcome IS NOT NULL
ORDER BY outcome_date DESC, completed_at DESC, uuid DESC LIMIT 1
"""


class CancellationError(Exception):
    """The message must not be sent; ``reason`` is one of ``REASONS``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ReadyMessage:
    """A message that may leave now.

    Attributes:
        to: the phone in E.164.
        index: its blind index.
        text: what is sent.
        segments: parts of the text.
        template_version, language: of the template.
        basis: the consent that permits it.
        gateway: the plugin instance that sends it.
    """

    to: str
    index: bytes
    text: str
    segments: int
    template_version: str
    language: str
    basis: str
    gateway: UUID


def check(session: TenantSession, row: Communication) -> ReadyMessage:
    """Return a message as it may be sent now. Quiet hours are the caller's.

    Raises:
        CancellationError: it must not be sent.
    """
    settings = tenant_settings.get(session, MessageSettings)
    gateway_id = gateway.gateway_of(session, settings)
    if gateway_id is None:
        raise CancellationError("switched_off")
    patient_id = canonical_of(session, row.patient_uuid)
    patient = patient_as_of(session, patient_id, None)
    if patient is None:
        raise CancellationError("no_patient")
    consent = consents.current(session, patient_id).get(row.purpose or "")
    if consent is None or not consent.agrees:
        raise CancellationError("no_consent")
    _check_care(session, patient_id, row)
    fields = legible_patient(session, patient).fields
    to = settings.number_of(fields["phone"])
    if to is None:
        raise CancellationError("no_phone")
    index = vault(session).blind_index("phone", to)
    owners = set(phones.patients_with(session, index))
    if has_several(fields["phone"]) and patient_id not in owners:
        raise CancellationError("no_phone")  # nobody can tell whose number it is: the search finds whole fields
    if not consent.shared_phone and owners - {patient_id}:
        raise CancellationError("shared_phone")
    _check_phone(session, patient_id, index, settings, row)
    languages = [each for each in (consent.language, settings.language) if each]
    template = templates.active(session, row.purpose or "", languages)
    if template is None:
        raise CancellationError("no_template")
    text = templates.rendered(template.body, templates.values_of(settings, row.contact_date))
    names = [each for each in (fields["given_name"], fields["family_name"]) if each]
    words = [word for name in names for word in (name, *name.split())]
    if templates.telling(session, text, words):
        raise CancellationError("not_covert")
    segments = size_of(text).segments
    if segments > settings.most_segments:
        raise CancellationError("too_long")
    basis = consents.basis_of(consent)
    return ReadyMessage(to, index, text, segments, str(template.version), template.language, basis, gateway_id)


def _check_care(session: TenantSession, patient: UUID, row: Communication) -> None:
    """Check that the patient is in care and, for a reminder, still expected on its day.

    Raises:
        CancellationError: the patient left, came, or is expected on another day.
    """
    day = today(session.tenant.time_zone)
    status = patient_status(session, patient, day)
    if status["status"] in ("died", "transferred_out", "stopped", "invalid"):
        raise CancellationError("left_care")
    with session.cursor() as cursor:
        last = cursor.execute(_LAST, ([patient, *members_of(session, patient)],)).fetchone()
    if last is not None and last[0] in _AWAY and _rests(last[0], last[1], day):
        raise CancellationError("left_care")
    if row.contact_date is None:
        return
    if row.contact_date <= day:
        raise CancellationError("too_late")
    if status["expected"] != row.contact_date:
        raise CancellationError("came")
    if last is not None and last[2] is not None and last[2] >= row.contact_date - CAME_WITHIN:
        raise CancellationError("came")


def _rests(outcome: str, day: date, present: date) -> bool:
    return day + timedelta(days=OUTCOMES[outcome].rests) > present


def _check_phone(
    session: TenantSession, patient: UUID, index: bytes, settings: MessageSettings, row: Communication
) -> None:
    """Check that the phone may receive one more message today.

    Raises:
        CancellationError: it may not.
    """
    with session.cursor() as cursor:
        lock_own(cursor, f"messages:phone:{index.hex()}")  # two jobs must not pass the day's limit together
    phone = phones.get(session, index)
    if phone is not None and phone.opted_out_at is not None:
        raise CancellationError("opted_out")
    if (phone is not None and phone.wrong_since is not None) or phones.found_wrong(session, patient):
        raise CancellationError("wrong_number")
    begin = start_of_day(session.tenant, today(session.tenant.time_zone))
    if phones.sent_since(session, index, begin, other_than=row.uuid) >= settings.most_per_day:
        raise CancellationError("daily_limit")
