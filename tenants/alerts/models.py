"""The tables of alerts: alerts with history and deliveries, rules, routes, silences, on-call rotas."""

from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Column, Date, DateTime, ForeignKey, Index, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from core.clock import now
from core.database import TenantBase
from core.deliveries import DeliveryColumns, delivery_checks
from tenants.records.ids import new_uuid

STAMP: Any = DateTime(timezone=True)
OPEN: tuple[str, ...] = ("open", "acknowledged")
"""Statuses of an alert that has not ended."""
_OPEN = "dedupe_key IS NOT NULL AND status IN ('open', 'acknowledged', 'assigned')"
_SEVERITIES = "severity IN ('info', 'low', 'medium', 'high', 'critical')"
_LOCAL: dict[str, Any] = {"info": {"archive": "its channels belong to this installation, which sends"}}


def _json(default: str = "[]") -> Any:  # noqa: ANN401 - SQLModel's Field is typed Any
    factory = list if default == "[]" else dict
    return Field(sa_column=Column(JSONB, nullable=False, server_default=text(f"'{default}'")), default_factory=factory)


def _ids() -> Any:  # noqa: ANN401 - SQLModel's Field is typed Any
    return Field(sa_column=Column(ARRAY(Uuid), nullable=False, server_default=text("'{}'")), default_factory=list)


class _EarlierColumns(SQLModel):
    """Columns of alerts about one patient, which no release wrote. A later release removes them."""

    patient_uuid: UUID | None = None
    prediction_uuid: UUID | None = None
    reasons: list[Any] = Field(default_factory=list, sa_type=JSONB, sa_column_kwargs={"server_default": text("'[]'")})
    due_date: date | None = Field(default=None, sa_type=Date)
    expires_at: datetime | None = Field(default=None, sa_type=STAMP)
    voided: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    voided_by: str | None = Field(default=None, sa_type=Text)
    date_voided: datetime | None = Field(default=None, sa_type=STAMP)
    void_reason: str | None = Field(default=None, sa_type=Text)


class Alert(_EarlierColumns, TenantBase, table=True):
    """An alert about the people of one facility, or about the platform, from its opening to its end.

    Attributes:
        version_id: changes with every write; the row's ETag.
        stream: ``clinical`` or ``platform``.
        alert_type: the kind of the rule that raised it; ``digest`` for what channels get of several.
        subject: what a platform alert is about, such as the kind of a job; empty for a facility's.
        facility_uuid: the facility; None if it concerns none.
        patients: the people that it groups. They never leave the platform.
        count: people or things that it groups.
        facts: further figures and codes, without names and phones.
        data_date: the date to which the data of the rule ran.
        dedupe_key: one alert that has not ended per key, so that a cause that goes on raises one alert.
        snoozed_until: nobody is notified before this time.
        notify_at: when the channels are to be notified, because quiet hours, a silence, a snooze or its own pause
            defer it.
        notified_at: when the channels were last notified.
        policy_id, step, step_at: its escalation policy, the next step, and when it is due.
        digest_id: the digest in which channels got it; see ``tenants.alerts.digests``.
        assigned_to: the person who looks after it, as an actor.
        round: how often the channels were notified that it is there.
        resolution: ``person``, ``channel`` or ``cause_ended``.
    """

    __tablename__ = "alerts"
    __table_args__ = (
        CheckConstraint(
            "status IN ('open', 'acknowledged', 'assigned', 'resolved', 'dismissed', 'expired')", name="status"
        ),
        CheckConstraint("stream IN ('clinical', 'platform')", name="stream"),
        CheckConstraint(_SEVERITIES, name="severity"),
        CheckConstraint("count >= 0", name="count"),
        CheckConstraint("NOT voided OR (voided_by IS NOT NULL AND date_voided IS NOT NULL)", name="voided"),
        Index("ix_alerts_patient_uuid", "patient_uuid"),
        Index("ix_alerts_status", "status", "created_at"),
        Index("ix_alerts_alert_type", "alert_type"),
        Index("ix_alerts_severity", "severity"),
        Index("ix_alerts_facility_uuid", "facility_uuid"),
        Index("ix_alerts_created_at", "created_at"),
        Index("ix_alerts_digest_id", "digest_id", postgresql_where=text("digest_id IS NOT NULL")),
        Index("ix_alerts_updated_at", "updated_at"),
        Index("uq_alerts_dedupe_key_open", "dedupe_key", unique=True, postgresql_where=text(_OPEN)),
    )

    uuid: UUID = Field(default_factory=new_uuid, primary_key=True)
    version_id: UUID = Field(default_factory=new_uuid)
    stream: str = Field(default="clinical", sa_type=Text, sa_column_kwargs={"server_default": text("'clinical'")})
    alert_type: str = Field(sa_type=Text)
    subject: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": text("''")})
    facility_uuid: UUID | None = None
    severity: str = Field(sa_type=Text)
    status: str = Field(default="open", sa_type=Text)
    patients: list[UUID] = _ids()
    count: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    facts: dict[str, Any] = _json("{}")
    data_date: date | None = Field(default=None, sa_type=Date)
    dedupe_key: str | None = Field(default=None, sa_type=Text)
    digest_id: UUID | None = None
    assigned_to: str | None = Field(default=None, sa_type=Text)
    assigned_at: datetime | None = Field(default=None, sa_type=STAMP)
    acknowledged_by: str | None = Field(default=None, sa_type=Text)
    acknowledged_at: datetime | None = Field(default=None, sa_type=STAMP)
    resolved_by: str | None = Field(default=None, sa_type=Text)
    resolved_at: datetime | None = Field(default=None, sa_type=STAMP)
    resolution: str | None = Field(default=None, sa_type=Text)
    snoozed_until: datetime | None = Field(default=None, sa_type=STAMP)
    notify_at: datetime | None = Field(default=None, sa_type=STAMP)
    notified_at: datetime | None = Field(default=None, sa_type=STAMP)
    policy_id: UUID | None = None
    step: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    step_at: datetime | None = Field(default=None, sa_type=STAMP)
    round: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    created_by: str = Field(sa_type=Text)
    updated_at: datetime = Field(default_factory=now, sa_type=STAMP)


class AlertEvent(TenantBase, table=True):
    """One entry of an alert's history.

    Attributes:
        act: what happened, such as ``opened`` or ``acknowledged``.
        actor: who did it; for an act in a channel, the channel.
        detail: codes, figures and times.
    """

    __tablename__: ClassVar[str] = "alert_events"
    __table_args__ = (Index("ix_alert_events_alert_uuid", "alert_uuid", "at"),)

    id: UUID = Field(default_factory=new_uuid, primary_key=True)
    alert_uuid: UUID = Field(sa_column=Column(Uuid, ForeignKey("alerts.uuid", ondelete="CASCADE"), nullable=False))
    at: datetime = Field(default_factory=now, sa_type=STAMP)
    act: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    detail: dict[str, Any] = _json("{}")


class AlertDelivery(DeliveryColumns, TenantBase, table=True):
    """One message about an alert for one channel.

    Attributes:
        channel_id: the instance of an alert channel.
        act: ``trigger``, ``acknowledge`` or ``resolve``.
        round: of the alert when it was written, so that each round notifies a channel once.
    """

    __tablename__: ClassVar[str] = "alert_deliveries"
    __table_args__ = (
        *delivery_checks(),
        CheckConstraint("act IN ('trigger', 'acknowledge', 'resolve')", name="act"),
        Index("uq_alert_deliveries_once", "alert_uuid", "channel_id", "act", "round", unique=True),
        Index("ix_alert_deliveries_channel_id", "channel_id", "created_at"),
        _LOCAL,
    )

    alert_uuid: UUID = Field(sa_column=Column(Uuid, ForeignKey("alerts.uuid", ondelete="CASCADE"), nullable=False))
    channel_id: UUID
    act: str = Field(sa_type=Text)
    round: int


class AlertRule(TenantBase, table=True):
    """What a tenant chose for one kind of rule; without a row the defaults of the kind apply.

    Attributes:
        threshold: the least count, value or days, by the kind.
        repeat_hours: an open alert notifies its channels again at most once in this time.
    """

    __tablename__: ClassVar[str] = "alert_rules"
    __table_args__ = (
        CheckConstraint(_SEVERITIES, name="severity"),
        CheckConstraint("threshold >= 0", name="threshold"),
    )

    kind: str = Field(primary_key=True, sa_type=Text)
    enabled: bool = True
    severity: str = Field(sa_type=Text)
    threshold: int
    repeat_hours: int
    version_id: UUID = Field(default_factory=new_uuid)
    changed_by: str = Field(sa_type=Text)
    changed_at: datetime = Field(default_factory=now, sa_type=STAMP)


class AlertRoute(TenantBase, table=True):
    """Where alerts go: every route that matches an alert adds its channel or its policy.

    Attributes:
        stream: None for both.
        facilities: empty for all.
        severity: the least severity.
        days: days of the week, 1 = Monday; empty for all.
        from_minute, until_minute: minutes of the tenant's day; equal for the whole day. ``from`` after ``until`` runs
            over midnight.
        channel_id, policy_id: one of them.
    """

    __tablename__: ClassVar[str] = "alert_routes"
    __table_args__ = (
        CheckConstraint(_SEVERITIES, name="severity"),
        CheckConstraint("(channel_id IS NULL) <> (policy_id IS NULL)", name="target"),
        _LOCAL,
    )

    id: UUID = Field(default_factory=new_uuid, primary_key=True)
    name: str = Field(sa_type=Text)
    stream: str | None = Field(default=None, sa_type=Text)
    facilities: list[UUID] = _ids()
    severity: str = Field(default="info", sa_type=Text)
    days: list[int] = _json()
    from_minute: int = 0
    until_minute: int = 0
    channel_id: UUID | None = None
    policy_id: UUID | None = None
    version_id: UUID = Field(default_factory=new_uuid)
    created_by: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)


class AlertPolicy(TenantBase, table=True):
    """An escalation policy.

    Attributes:
        steps: in order, each ``{"after_minutes", "channel_id"}`` or ``{"after_minutes", "rota_id"}``: minutes since the
            step before, without acknowledgement.
        repeats: how often it begins anew after its last step.
    """

    __tablename__: ClassVar[str] = "alert_policies"
    __table_args__ = (_LOCAL,)

    id: UUID = Field(default_factory=new_uuid, primary_key=True)
    name: str = Field(sa_type=Text)
    steps: list[dict[str, Any]] = _json()
    repeats: int = 0
    version_id: UUID = Field(default_factory=new_uuid)
    created_by: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)


class AlertSilence(TenantBase, table=True):
    """A time in which channels do not learn of some alerts.

    Attributes:
        rule, facility_uuid, stream: which alerts; None for any.
        reason: why; colleagues read it.
    """

    __tablename__: ClassVar[str] = "alert_silences"
    __table_args__ = (CheckConstraint("until > since", name="order"),)

    id: UUID = Field(default_factory=new_uuid, primary_key=True)
    rule: str | None = Field(default=None, sa_type=Text)
    facility_uuid: UUID | None = None
    stream: str | None = Field(default=None, sa_type=Text)
    since: datetime = Field(default_factory=now, sa_type=STAMP)
    until: datetime = Field(sa_type=STAMP)
    reason: str = Field(sa_type=Text)
    created_by: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
    ended_by: str | None = Field(default=None, sa_type=Text)


class OnCallRota(TenantBase, table=True):
    """A rotation of people who are on call.

    Attributes:
        members: in order, each ``{"person_id", "channel_id"}``: the person, and the channel that reaches them.
        first_day: the day of the first hand-over, on which the first member begins.
        shift_days: days from one hand-over to the next.
        handover_minute: minute of the tenant's day.
    """

    __tablename__: ClassVar[str] = "on_call_rotas"
    __table_args__ = (
        CheckConstraint("shift_days BETWEEN 1 AND 31", name="shift"),
        CheckConstraint("handover_minute BETWEEN 0 AND 1439", name="handover"),
        _LOCAL,
    )

    id: UUID = Field(default_factory=new_uuid, primary_key=True)
    name: str = Field(sa_type=Text)
    members: list[dict[str, Any]] = _json()
    first_day: date = Field(sa_type=Date)
    shift_days: int = 7
    handover_minute: int = 480
    version_id: UUID = Field(default_factory=new_uuid)
    created_by: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)


class OnCallOverride(TenantBase, table=True):
    """A member of a rota who is on call instead of the one whose shift it is."""

    __tablename__: ClassVar[str] = "on_call_overrides"
    __table_args__ = (CheckConstraint("until > since", name="order"), _LOCAL)

    id: UUID = Field(default_factory=new_uuid, primary_key=True)
    rota_id: UUID = Field(
        sa_column=Column(Uuid, ForeignKey("on_call_rotas.id", ondelete="CASCADE"), nullable=False, index=True)
    )
    person_id: UUID
    since: datetime = Field(sa_type=STAMP)
    until: datetime = Field(sa_type=STAMP)
    created_by: str = Field(sa_type=Text)
    created_at: datetime = Field(default_factory=now, sa_type=STAMP)
