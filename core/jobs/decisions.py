"""Operators' decisions about dead jobs: retry one, as it was or with another payload; retry many; discard one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from psycopg.errors import UniqueViolation
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from core import audit, telemetry
from core.audit.platform import record_act
from core.database import TenantSession, databases, node_session, platform_session, psycopg_connection
from core.errors import AppError, Conflict, FieldError, Invalid, Unavailable, phrase
from core.jobs import endings, payloads
from core.jobs.masking import unmasked
from core.jobs.operations import unknown
from core.jobs.queue import LARGEST_PAYLOAD
from core.jobs.registry import check_of

if TYPE_CHECKING:
    from uuid import UUID

    import psycopg
    from sqlmodel import Session

    from core.database import TenantRef
    from core.jobs.job_end import Decision

LONGEST_REASON: Final = 200
MOST_RETRIED: Final = 500
"""Jobs that one call of ``retry_all`` queues again, at most."""
FASTEST: Final = 6000
"""Highest rate of ``retry_all``, per minute."""

_VERBS: Final[dict[Decision, str]] = {"retried": "retry", "discarded": "discard"}
_QUEUED: Final = (
    "state = 'queued', run_after = now() + %(delay)s, attempts = 0, interruptions = 0, suspicion = 0,"
    " finished_at = NULL, deadline = NULL, failures = NULL, payload = coalesce(%(payload)s::jsonb, payload),"
    " updated_at = now()"
)
_DISCARDED: Final = "state = 'discarded', updated_at = now()"
_CHOSEN: Final = """
SELECT id, finished_at FROM node.jobs
WHERE state = 'dead' AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    AND (%(role)s::text IS NULL OR tenant_role = %(role)s)
ORDER BY finished_at, id LIMIT %(most)s
"""

log = telemetry.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RetriedJobs:
    """The result of ``retry_all``.

    Attributes:
        retried: jobs that are queued again.
        skipped: jobs that could not be: the same work was requested again, or their feature rejected it.
        more: whether there were more jobs than one call retries.
        seconds: time after which the last of them is due.
    """

    retried: int
    skipped: int
    more: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class _Act:
    """A decision, and by whom it is; ``recorded`` says whether the job's own audit gets it."""

    resolution: Decision
    actor: str
    source: str
    reason: str = ""
    payload: dict[str, Any] | None = None
    delay: timedelta = timedelta(0)
    recorded: bool = True


def retry(job_id: UUID, *, actor: str, source: str = "cli", payload: dict[str, Any] | None = None) -> None:
    """Queue a dead job again, its counters at zero.

    Args:
        job_id: the job.
        actor: who acts.
        source: ``cli``, ``api`` or ``page``.
        payload: its new payload, edited from the masked one; None if the payload stays. The dead letter keeps the old.

    Raises:
        NotFound: there is no such job.
        Conflict: it is not dead, or the same work has been asked for again meanwhile.
        Invalid: the payload is too large, its kind rejects it, or a hidden value was moved.
    """
    _resolve(job_id, _Act("retried", actor, source, payload=payload))


def discard(job_id: UUID, reason: str, *, actor: str, source: str = "cli") -> None:
    """Give a dead job up for good.

    Args:
        job_id: the job.
        reason: why; other operators read it.
        actor: who acts.
        source: ``cli``, ``api`` or ``page``.

    Raises:
        NotFound: there is no such job.
        Conflict: it is not dead.
        Invalid: there is no reason, or it is not one line of at most ``LONGEST_REASON`` characters.
    """
    why = reason.strip()
    if not why or len(why) > LONGEST_REASON or not why.isprintable():
        problem = phrase("is not one line of at most {most} characters", most=LONGEST_REASON) if why else "is missing"
        remedy = "Say why, for the other operators; name no person."
        raise Invalid("the reason is not valid", errors=[FieldError("reason", problem, remedy)])
    _resolve(job_id, _Act("discarded", actor, source, reason=why))


def retry_all(
    *,
    actor: str,
    kind: str | None = None,
    tenant: TenantRef | None = None,
    per_minute: int = 60,
    source: str = "cli",
) -> RetriedJobs:
    """Queue the dead jobs of a kind or a tenant again, the oldest first, at a rate. The audit gets one act.

    Args:
        actor: who acts.
        kind: only jobs of this kind.
        tenant: only jobs of this tenant.
        per_minute: how many become due in a minute, at most ``FASTEST``.
        source: ``cli``, ``api`` or ``page``.

    Raises:
        Invalid: neither a kind nor a tenant is given, or the rate is not between 1 and ``FASTEST``.
        Unavailable: a database is not there. Jobs that were queued before stay queued.
    """
    if kind is None and tenant is None:
        remedy = "Name a kind, a partner or both."
        raise Invalid("the choice is not valid", errors=[FieldError("kind", "is missing", remedy)])
    if not 1 <= per_minute <= FASTEST:
        problem = phrase("is not between 1 and {most}", most=FASTEST)
        raise Invalid("the rate is not valid", errors=[FieldError("per_minute", problem)])
    dead = _dead(kind, tenant)
    chosen = dead[:MOST_RETRIED]
    if chosen:
        # First: a call that breaks off in the middle has retried some, and must be in the audit.
        with platform_session() as session:
            detail = {"kind": kind, "jobs": len(chosen), "per_minute": per_minute}
            tenant_id = None if tenant is None else tenant.id
            record_act(session, f"{source}:job:retry_all", actor=actor, tenant_id=tenant_id, detail=detail)
    retried = 0
    pause = timedelta(minutes=1) / per_minute
    for job_id in chosen:
        try:
            _resolve(job_id, _Act("retried", actor, source, delay=retried * pause, recorded=False))
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - a feature that rejects one job must not keep the others
            expected = isinstance(error, AppError)
            log.log(20 if expected else 40, "dead job not retried", job_id=str(job_id), error=type(error).__name__)
        else:
            retried += 1
    seconds = max(0, retried - 1) * pause.total_seconds()
    return RetriedJobs(retried, len(chosen) - retried, len(dead) > len(chosen), seconds)


def parsed(text: str) -> dict[str, Any]:
    """Return an edited payload.

    Raises:
        Invalid: the text is not a JSON object.
    """
    problem = phrase("is not a JSON object")
    payload = None
    try:
        payload = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        problem = phrase("is not JSON: line {line}, column {column}", line=error.lineno, column=error.colno)
    except (ValueError, RecursionError):  # a number of thousands of digits, or thousands of brackets
        problem = phrase("has a number that JSON does not allow or that is too long, or is nested too deeply")
    if not isinstance(payload, dict):
        raise Invalid("the payload is not valid", errors=[FieldError("payload", problem)])
    return payload


def _no_number(constant: str) -> None:
    """Reject ``NaN`` and ``Infinity``, which ``json`` accepts."""
    raise ValueError(constant)


def _dead(kind: str | None, tenant: TenantRef | None) -> list[UUID]:
    rows: list[tuple[Any, ...]] = []
    values = {"kind": kind, "role": None if tenant is None else tenant.role_name, "most": MOST_RETRIED + 1}
    for database in databases() if tenant is None else (tenant.database,):
        with node_session(database) as session:
            rows += psycopg_connection(session).execute(_CHOSEN, values).fetchall()
    return [row[0] for row in sorted(rows, key=lambda row: (row[1], row[0]))[: MOST_RETRIED + 1]]


def _resolve(job_id: UUID, act: _Act) -> None:
    """Change a dead job, record the decision on its dead letter, and announce it, in one transaction."""
    for database in databases():
        with node_session(database) as session:
            tenant = endings.tenant_of_job(session, job_id)
        with node_session(database) as session:
            connection = psycopg_connection(session)
            row = connection.execute(
                "SELECT state, EXISTS (SELECT FROM node.jobs other WHERE other.dedupe_key = jobs.dedupe_key"
                " AND other.tenant_role = jobs.tenant_role AND other.kind = jobs.kind"
                " AND other.state IN ('queued', 'sent', 'running')), kind, payload, tenant_role"
                " FROM node.jobs WHERE id = %s FOR UPDATE",
                (job_id,),
            ).fetchone()
            if row is None:
                continue
            _check_state(job_id, str(row[0]), bool(row[1]), act)
            before, payload, sealed = row[3], None, None
            if act.payload is not None:
                place = {"id": job_id, "tenant_role": row[4], "payload": row[3]}
                before = payloads.open_payload(place)
                payload = _edited(str(row[2]), act.payload, before)
                sealed = payloads.seal_payload(place, payload)
            ended = _change(connection, job_id, act, sealed)
            connection.execute(
                "UPDATE node.dead_letters SET resolution = %s, resolved_at = now(), resolved_by = %s,"
                " resolution_reason = %s WHERE job_id = %s AND resolution IS NULL",
                (act.resolution, act.actor, act.reason or None, job_id),
            )
            if ended is not None:
                with endings.as_owner(session, ended, tenant, actor=act.actor, request_id=None) as within:
                    if within is not None:
                        _record(within, ended, act, _changed(before, payload))
                        _announce(within, ended, act)
            return
    raise unknown(job_id)


def _check_state(job_id: UUID, state: str, again: bool, act: _Act) -> None:  # noqa: FBT001 - read from one row
    if state != "dead":
        raise Conflict(
            phrase("the job {job_id} is {state}, not dead", job_id=job_id, state=state),
            remedy="Only dead jobs are retried or discarded.",
            command="only dead jobs are retried or discarded: see `iit jobs list --state dead`",
        )
    if again and act.resolution == "retried":
        raise _requested_again(job_id)


def _requested_again(job_id: UUID) -> Conflict:
    return Conflict(
        phrase("the work of job {job_id} was requested again in the meantime", job_id=job_id),
        remedy="Discard this one.",
        command="discard this one: `iit jobs discard`",
    )


def _change(
    connection: psycopg.Connection[Any], job_id: UUID, act: _Act, sealed: dict[str, Any] | None
) -> endings.EndedJob | None:
    """Change the job's row; ``sealed`` is its new payload.

    Raises:
        Conflict: a transaction that committed after the check requested the same work again.
    """
    cursor = connection.cursor(row_factory=class_row(endings.EndedJob))
    change = _QUEUED if act.resolution == "retried" else _DISCARDED
    try:
        return cursor.execute(
            f"UPDATE node.jobs SET {change} WHERE id = %(id)s RETURNING {endings.ENDED}",  # noqa: S608 - constants
            {"id": job_id, "delay": act.delay, "payload": None if sealed is None else Jsonb(sealed)},
        ).fetchone()
    except UniqueViolation as error:
        raise _requested_again(job_id) from error


def _edited(kind: str, edited: dict[str, Any], stored: dict[str, Any]) -> dict[str, Any]:
    """Return the payload to store.

    Raises:
        Invalid: it is too large, or its kind rejects it.
    """
    try:
        payload = unmasked(edited, stored)
        length = len(json.dumps(payload, allow_nan=False))
    except (ValueError, RecursionError) as error:
        problem = phrase("has a number that JSON does not allow or that is too long, or is nested too deeply")
        raise Invalid("the payload is not valid", errors=[FieldError("payload", problem)]) from error
    if length > LARGEST_PAYLOAD:
        problem = phrase("is longer than {most} characters", most=LARGEST_PAYLOAD)
        raise Invalid("the payload is not valid", errors=[FieldError("payload", problem)])
    check = check_of(kind)
    if check is not None:
        check(payload)
    return payload


def _announce(session: Session, ended: endings.EndedJob, act: _Act) -> None:
    """Announce the decision.

    Raises:
        Invalid: the room cannot read the edited payload.
    """
    try:
        endings.announce(session, act.resolution, ended)
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        if act.payload is None:
            raise
        log.warning("an edited payload was rejected", job=ended.kind, error=type(error).__name__)
        problem = phrase("has a field that is missing or that this kind of job cannot read")
        raise Invalid("the payload is not valid", errors=[FieldError("payload", problem)]) from error


def _changed(stored: dict[str, Any], payload: dict[str, Any] | None) -> list[str]:
    """Return the names of the fields that an edit changed, added or removed."""
    if payload is None:
        return []
    return sorted(name for name in {*stored, *payload} if stored.get(name) != payload.get(name))


def _record(session: Session, ended: endings.EndedJob, act: _Act, changed: list[str]) -> None:
    """Add the act to the audit of the job's tenant; to the platform's where the job has no tenant."""
    if not act.recorded:
        return
    action = f"{act.source}:job:{_VERBS[act.resolution]}"
    detail = {"kind": ended.kind, **({"changed": changed} if changed else {})}
    detail |= {"reason": act.reason} if act.reason else {}
    if isinstance(session, TenantSession):
        audit.record(session, action, "job", ended.job_id, detail)
    else:
        record_act(session, action, actor=act.actor, tenant_id=None, detail={**detail, "job_id": str(ended.job_id)})
