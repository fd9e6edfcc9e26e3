"""The jobs that send one message, and that find out what became of one.

A message leaves at most one time: its row is ``sending`` just before the request leaves, and a try that finds its own
row so calls it ``unknown``. What can take long or fail before that, such as the gateway's plugin, comes earlier.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from psycopg.errors import UniqueViolation
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from core import audit, metering, telemetry
from core.clock import now, today
from core.database import tenant_session
from core.deliveries import after_try
from core.entitlements import allowed
from core.jobs import DeadlinePassed, LeaseLost, Retry, WorkerStopping, enqueue, job
from core.privacy import vault
from core.privacy.errors import CannotDecrypt, PatientErased
from core.tenancy import settings as tenant_settings
from plugins.sdk import DeliveryReport, Outcome
from tenants.messages import gateway, phones
from tenants.messages.checks import CancellationError, ReadyMessage, check
from tenants.messages.hours import next_allowed
from tenants.messages.models import Communication
from tenants.messages.settings import MessageSettings
from tenants.records.days import start_of_day
from tenants.records.ids import new_uuid

if TYPE_CHECKING:
    from datetime import datetime

    from core.database import TenantSession
    from core.jobs import JobContext, JobEnd

log = telemetry.get_logger(__name__)

SEND: Final = "messages.send"
ASK: Final = "messages.ask"
REPORT: Final = "messages.report"
TABLE: Final = "communications"
GIVEN_UP: Final = "given_up"
ASK_AFTER: Final = (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
WRONG: Final = frozenset({"invalid_number", "unknown_number", "landline", "unsupported_number"})
"""Reasons of gateways that mean: the number does not exist, or receives no SMS."""
OPTED_OUT: Final = frozenset({"unsubscribed", "do_not_disturb"})
"""Reasons that mean: the receiver told the network or the gateway to send nothing."""
_ENDED: Final = ("delivered", "failed", "cancelled")


def request(session: TenantSession, row: Communication) -> None:
    """Enqueue the job that sends a waiting message at its time."""
    enqueue(session, SEND, {"message_id": str(row.uuid)}, run_after=row.scheduled_for)


def send_ended(session: TenantSession, end: JobEnd) -> None:
    """Say of a message whose job was given up that it failed, or that nobody knows whether it left.

    After a retry of the job, a message that never left waits again.
    """
    row = _locked(session, UUID(end.payload["message_id"]))
    if row is None:
        return
    if not end.stalled and (row.status, row.error_code) == ("failed", GIVEN_UP):
        row.status, row.error_code, row.failed_at = "waiting", None, None
    elif not end.stalled:
        return
    elif row.status == "waiting":
        _end(row, "failed", GIVEN_UP)
    elif row.status == "sending":
        _unknown(session, row, "interrupted")
    _store(session, row)


@job(
    SEND,
    retry=Retry(8),
    lease=timedelta(minutes=2),
    time_limit=timedelta(minutes=10),
    cancellable=False,
    on_end=send_ended,
)
def send(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Send one message, if everything still permits it. Between the steps no transaction is open."""
    message_id = UUID(payload["message_id"])
    extra = allowed(ctx.tenant, "sms")
    with ctx.session() as session:
        if not extra.allowed:
            _cancel_for_plan(session, message_id)
        ready = _check(session, message_id, ctx.job_id)
        if ready is None:
            ctx.finish(session)
        report_url = "" if ready is None else gateway.report_address(session, ready.gateway)
    if ready is None:
        return
    message = gateway.prepare(
        ctx.tenant, ready.gateway, message_id, to=ready.to, text=ready.text, report_url=report_url
    )
    with ctx.session() as session:
        begun = _begin(session, message_id, ctx.job_id, ready)
        if begun:
            message.count(session)
        else:
            ctx.finish(session)
    if not begun:
        return
    outcome = message.send()
    try:
        with ctx.session() as session:
            _record(session, message_id, outcome)
            ctx.finish(session)
    except (LeaseLost, WorkerStopping, DeadlinePassed):
        # Without the outcome the next run would call the message unknown, or has done so.
        if outcome.state in ("sent", "failed"):
            with tenant_session(ctx.tenant, actor=ctx.actor) as session:
                _record(session, message_id, outcome)
        raise
    message.judge(outcome)  # last: a worker that dies before it has recorded leaves the message unknown


def _cancel_for_plan(session: TenantSession, message_id: UUID) -> None:
    """Cancel a message that waits: the partner's plan permits no messages now."""
    row = _locked(session, message_id)
    if row is not None and row.status == "waiting":
        _end(row, "cancelled", "plan")
        _store(session, row)


def _begin(session: TenantSession, message_id: UUID, job_id: UUID, described: ReadyMessage) -> bool:
    """Write that a message may leave now; return whether it may.

    Everything is checked once more, so that the consent, the phone and its limit are those of this moment. A message
    that has changed since the gateway's plugin described it gets another job.
    """
    ready = _check(session, message_id, job_id)
    row = _locked(session, message_id)
    if ready is None or row is None:
        return False
    if ready != described:
        _postpone(session, row, now())
        return False
    safe = vault(session)
    try:
        row.recipient_enc = safe.encrypt(row.patient_uuid, TABLE, "recipient_enc", row.uuid, ready.to)
        row.body_enc = safe.encrypt(row.patient_uuid, TABLE, "body_enc", row.uuid, ready.text)
    except PatientErased:
        _end(row, "cancelled", "no_patient")
        _store(session, row)
        return False
    row.recipient_bidx, row.segments, row.language = ready.index, ready.segments, ready.language
    row.template, row.template_version = f"{row.purpose}:{ready.language}", ready.template_version
    row.consent_basis, row.gateway_uuid, row.provider = ready.basis, ready.gateway, str(ready.gateway)
    row.status, row.job_uuid, row.sent_at, row.attempts = "sending", job_id, now(), row.attempts + 1
    _store(session, row)
    return True


def _check(session: TenantSession, message_id: UUID, job_id: UUID) -> ReadyMessage | None:
    """Return a message as it may be sent now; None after it was cancelled, postponed or called unknown."""
    row = _locked(session, message_id)
    if row is None or row.status not in ("waiting", "sending"):
        return None
    if row.status == "sending":
        if row.job_uuid == job_id:
            _unknown(session, row, "interrupted")
            _store(session, row)
        return None
    settings, moment = tenant_settings.get(session, MessageSettings), now()
    when = next_allowed(moment, settings, session.tenant.time_zone)
    try:
        ready = check(session, row) if when == moment else None
    except (CancellationError, PatientErased) as error:
        reason = error.reason if isinstance(error, CancellationError) else "no_patient"
        limited = reason == "daily_limit" and row.contact_date is None
        when = next_allowed(_tomorrow(session), settings, session.tenant.time_zone) if limited else None
        if when is None:
            _end(row, "cancelled", reason)
            _store(session, row)
            return None
        ready = None
    if ready is None:
        _postpone(session, row, when)
    return ready


def _postpone(session: TenantSession, row: Communication, when: datetime | None) -> None:
    """Send the message at a later moment; never, if no day permits it."""
    if when is None:
        _end(row, "cancelled", "quiet")
    row.scheduled_for = when
    _store(session, row)
    if when is not None:
        request(session, row)


def _tomorrow(session: TenantSession) -> datetime:
    return start_of_day(session.tenant, today(session.tenant.time_zone) + timedelta(days=1))


def _record(session: TenantSession, message_id: UUID, outcome: Outcome) -> None:
    """Write what the gateway answered. A report may have come before it, and then it counts."""
    row = _locked(session, message_id)
    if row is None:
        return
    if outcome.reference:
        _keep_reference(session, row, outcome.reference)
    row.provider_status = outcome.reason or outcome.state
    _cost(row, outcome.cost, outcome.currency)
    if outcome.state in ("sent", "unknown"):
        _meter(session, row)
    if row.status == "sending":
        if outcome.state == "sent":
            row.status = "sent"
        elif outcome.state == "unknown":
            _unknown(session, row, outcome.reason)
        else:
            row.attempts, pause = after_try(row.attempts, outcome)
            if pause is not None:
                row.status, row.sent_at, row.scheduled_for = "waiting", None, now() + pause
                request(session, row)
            else:
                _failed(session, row, outcome.reason)
    elif row.status == "unknown" and outcome.state == "sent":
        row.status, row.error_code = "sent", None
    elif row.status == "unknown" and outcome.state == "failed":
        _failed(session, row, outcome.reason)
    _store(session, row)


def apply_report(session: TenantSession, gateway_id: UUID, report: DeliveryReport) -> bool:
    """Write what a gateway says of a message; return whether there is such a message."""
    row = _reported(session, gateway_id, report)
    if row is None:
        return False
    row.provider_message_id = row.provider_message_id or report.reference or None
    row.provider_status = report.reason or report.state
    _cost(row, report.cost, report.currency)
    if row.status not in _ENDED:
        if report.state == "delivered":
            row.status, row.delivered_at, row.error_code = "delivered", now(), None
            if row.recipient_bidx is not None:
                phones.mark_right(session, row.recipient_bidx)
        elif report.state == "failed":
            _failed(session, row, report.reason)
        elif row.status == "unknown":
            row.status, row.error_code = "sent", None
    _store(session, row)
    return True


@job(REPORT, retry=Retry(3), lease=timedelta(minutes=1), time_limit=timedelta(minutes=5))
def report_again(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Apply a report that came before the answer that named its message; forget it if there is still none."""
    with ctx.session() as session:
        apply_report(session, UUID(payload["gateway_id"]), DeliveryReport(**payload["report"]))
        ctx.finish(session)


@job(ASK, retry=Retry(5), lease=timedelta(minutes=2), time_limit=timedelta(minutes=10))
def ask(ctx: JobContext, payload: dict[str, Any]) -> None:
    """Ask the gateway what became of an unknown message; ask again later, a few times. It is never sent again."""
    message_id, times = UUID(payload["message_id"]), int(payload["times"])
    with ctx.session() as session:
        row = _locked(session, message_id)
        known = row is None or row.status != "unknown" or row.gateway_uuid is None or row.provider_message_id is None
        instance, reference = (None, "") if row is None else (row.gateway_uuid, row.provider_message_id or "")
        to, text = ("", "") if known or row is None else _sent(session, row)
        if known:
            ctx.finish(session)
    if known or instance is None:
        return
    report = gateway.ask(ctx.tenant, instance, reference, to=to, text=text)
    with ctx.session() as session:
        if report is not None:
            apply_report(session, instance, report)
        row = _locked(session, message_id)
        if row is not None and row.status == "unknown" and times < len(ASK_AFTER):
            _ask_later(session, message_id, times)
        ctx.finish(session)


def _sent(session: TenantSession, row: Communication) -> tuple[str, str]:
    """Phone and text of a message that left; empty where they do not open any more."""
    texts = []
    for column, sealed in (("recipient_enc", row.recipient_enc), ("body_enc", row.body_enc)):
        try:
            opened = sealed and vault(session).decrypt(row.patient_uuid, TABLE, column, row.uuid, sealed)
        except (CannotDecrypt, PatientErased):
            opened = None
        texts.append(opened or "")
    return texts[0], texts[1]


def _ask_later(session: TenantSession, message_id: UUID, times: int) -> None:
    payload = {"message_id": str(message_id), "times": times + 1}
    enqueue(session, ASK, payload, run_after=now() + ASK_AFTER[times])


def _reported(session: TenantSession, gateway_id: UUID, report: DeliveryReport) -> Communication | None:
    query = select(Communication).where(Communication.direction == "outbound", Communication.gateway_uuid == gateway_id)
    try:
        named = UUID(report.message_id) if report.message_id else None
    except ValueError:
        named = None
    if named is not None:
        query = query.where(Communication.uuid == named)
    elif report.reference:
        query = query.where(
            Communication.provider == str(gateway_id), Communication.provider_message_id == report.reference
        )
    else:
        return None
    return session.exec(query.with_for_update().execution_options(populate_existing=True)).first()


def _failed(session: TenantSession, row: Communication, reason: str) -> None:
    _end(row, "failed", reason or "failed")
    if row.recipient_bidx is None:
        return
    if reason in WRONG:
        phones.mark_wrong(session, row.recipient_bidx, reason)
    elif reason in OPTED_OUT:
        phones.opt_out(session, row.recipient_bidx, "gateway")


def _unknown(session: TenantSession, row: Communication, reason: str) -> None:
    row.status, row.error_code = "unknown", reason or "unknown"
    if row.provider_message_id is not None:
        _ask_later(session, row.uuid, 0)


def _end(row: Communication, status: str, reason: str) -> None:
    row.status, row.error_code = status, reason[:100]
    if status == "failed":
        row.failed_at = now()


def _cost(row: Communication, cost: str, currency: str) -> None:
    try:
        amount = Decimal(cost) if cost and currency else None
    except InvalidOperation:
        return
    if amount is not None and amount.is_finite() and 0 <= amount < Decimal(10) ** 8:
        row.cost, row.currency = amount, currency[:3].upper()


def _meter(session: TenantSession, row: Communication) -> None:
    if row.segments:
        dimensions = {"purpose": row.purpose or "", "gateway": gateway.name_of(session, row.gateway_uuid)}
        metering.record(session, "sms_segments", row.segments, key=f"{row.uuid}:{row.attempts}", dimensions=dimensions)


def cancel(session: TenantSession, row: Communication) -> None:
    """Send a waiting message no more."""
    _end(row, "cancelled", "person")
    _store(session, row)
    audit.record(session, "messages:message:cancel", "patient", row.patient_uuid, {"message": str(row.uuid)})


def _locked(session: TenantSession, message_id: UUID) -> Communication | None:
    query = select(Communication).where(Communication.uuid == message_id).with_for_update()
    return session.exec(query.execution_options(populate_existing=True)).first()


def _keep_reference(session: TenantSession, row: Communication, reference: str) -> None:
    """Keep the gateway's id of a message, unless another message has it: the gateway repeats ids then."""
    try:
        with session.begin_nested():
            row.provider_message_id = reference
            session.add(row)
            session.flush()
    except IntegrityError as error:
        if not isinstance(error.orig, UniqueViolation):
            raise
        log.warning("a gateway gave the id of another message", message_id=str(row.uuid))


def _store(session: TenantSession, row: Communication) -> None:
    row.version_id, row.updated_at = new_uuid(), now()
    session.add(row)
    session.flush()
