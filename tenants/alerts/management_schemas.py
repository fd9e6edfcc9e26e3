"""Bodies and answers of the API about rules, routes, policies, silences and on-call rotas."""

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from core.web.days import IsoDay, IsoInstant
from tenants.alerts.kinds import Kind, Severity, Stream
from tenants.alerts.models import AlertRoute, AlertSilence, OnCallRota
from tenants.alerts.oncall import Shift
from tenants.alerts.rules import Rule
from tenants.alerts.settings import TimeOfDay, minutes

_ID = "019c2253-7220-70a7-a610-b4172b5ebaa0"
_CHANNEL, _PERSON, _POLICY, _ROTA = (f"{_ID[:-4]}c0d{digit}" for digit in "1234")
_DATIM = "hZ7mJp5xUQq"
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=r"^[^\x00-\x1f]*$")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Weekday = Annotated[int, Field(ge=1, le=7)]
_STRICT = ConfigDict(extra="forbid")


def time_of_day(minute: int) -> str:
    """Return a minute of the day as a time, such as ``07:30``."""
    return f"{minute // 60:02}:{minute % 60:02}"


class RuleIn(BaseModel):
    """What a rule is to do."""

    model_config = _STRICT

    enabled: bool = Field(description="Whether it raises alerts.")
    severity: Severity = Field(description="Of its alerts.", examples=["high"])
    threshold: int = Field(ge=0, le=1_000_000_000, description="In the unit of the rule.", examples=[1000])
    repeat_hours: int = Field(
        ge=1,
        le=720,
        description="An alert that goes on notifies its channels again at most once in this time.",
        examples=[20],
    )


class RuleOut(RuleIn):
    """A rule as it applies."""

    kind: Kind = Field(description="The rule.", examples=["viral_load"])
    stream: Stream = Field(description="Of its alerts.")
    unit: str = Field(description="What the threshold counts; empty if it has none.", examples=["copies"])
    meaning: str = Field(description="When it raises an alert.", examples=["A plugin fails again and again."])
    measured: bool = Field(description="Whether the platform looks for it.")
    changed_by: str | None = Field(description="Who changed it; null: these are the defaults.", examples=[None])
    changed_at: datetime | None = Field(description="When.", examples=[None])

    @classmethod
    def of(cls, rule: Rule) -> "RuleOut":
        """Return a rule as the API shows it."""
        return cls(
            kind=rule.kind.name,
            stream=rule.kind.stream,
            unit=rule.kind.unit,
            meaning=rule.kind.meaning,
            measured=rule.kind.measured,
            enabled=rule.enabled,
            severity=rule.severity,  # type: ignore[arg-type]  # a severity
            threshold=rule.threshold,
            repeat_hours=rule.repeat_hours,
            changed_by=rule.changed_by,
            changed_at=rule.changed_at,
        )


class RulePreviewOut(BaseModel):
    """What a rule would have raised, and what it raised, in the last 7 days."""

    model_config = ConfigDict(from_attributes=True)

    days: int | None = Field(
        description="Days with a scoring, for a rule that looks at scorings; null for others.", examples=[7]
    )
    alerts: int | None = Field(
        description="Alerts that it would have raised on these days; for other rules now. Null if it is not known.",
        examples=[4],
    )
    people: int = Field(description="People or things of these alerts.", examples=[31])
    raised: int = Field(description="Alerts that it raised in the last 7 days, as it was set then.", examples=[2])


class RouteIn(BaseModel):
    """Where some alerts go. Give a channel or a policy."""

    model_config = _STRICT

    name: Name = Field(description="What colleagues call it.", examples=["Nights"])
    stream: Stream | None = Field(default=None, description="Only of this stream.", examples=["clinical"])
    facilities: list[str] = Field(
        default_factory=list, max_length=500, description="DATIM ids; empty for all.", examples=[[_DATIM]]
    )
    severity: Severity = Field(default="info", description="Of this severity or above.", examples=["high"])
    days: list[Weekday] = Field(
        default_factory=list,
        max_length=7,
        description="Days of the week, 1 = Monday; empty for all.",
        examples=[[6, 7]],
    )
    from_time: TimeOfDay = Field(
        default="00:00", description="From this time of the partner's day.", examples=["18:00"]
    )
    until_time: TimeOfDay = Field(
        default="00:00", description="Before this time; the same as `from_time` for the whole day.", examples=["07:00"]
    )
    channel_id: UUID | None = Field(default=None, description="To this channel.", examples=[None])
    policy_id: UUID | None = Field(default=None, description="To this escalation policy.", examples=[_POLICY])

    def values(self, facilities: list[UUID]) -> dict[str, Any]:
        """Return the columns of the route."""
        own = self.model_dump(exclude={"from_time", "until_time", "facilities"})
        times = {"from_minute": minutes(self.from_time), "until_minute": minutes(self.until_time)}
        return own | times | {"facilities": facilities, "days": sorted(set(self.days))}


class RouteOut(BaseModel):
    """A route."""

    id: UUID = Field(description="The route.", examples=[_ID])
    name: str = Field(description="What colleagues call it.", examples=["Nights"])
    stream: Stream | None = Field(description="Only of this stream.", examples=["clinical"])
    facilities: list[str] = Field(description="DATIM ids; empty for all.", examples=[[_DATIM]])
    severity: Severity = Field(description="Of this severity or above.")
    days: list[int] = Field(description="Days of the week, 1 = Monday; empty for all.", examples=[[6, 7]])
    from_time: str = Field(description="From this time of the partner's day.", examples=["18:00"])
    until_time: str = Field(description="Before this time; the same for the whole day.", examples=["07:00"])
    channel_id: UUID | None = Field(description="To this channel.", examples=[None])
    policy_id: UUID | None = Field(description="To this escalation policy.", examples=[_POLICY])

    @classmethod
    def of(cls, row: AlertRoute, facilities: list[str]) -> "RouteOut":
        """Return a route as the API shows it."""
        values = row.model_dump(include={"id", "name", "stream", "severity", "days", "channel_id", "policy_id"})
        return cls(
            **values,
            facilities=facilities,
            from_time=time_of_day(row.from_minute),
            until_time=time_of_day(row.until_minute),
        )


class StepIn(BaseModel):
    """One step of an escalation. Give a channel or a rota."""

    model_config = _STRICT

    after_minutes: int = Field(
        ge=0, le=10_080, description="Minutes after the step before, without acknowledgement.", examples=[15]
    )
    channel_id: UUID | None = Field(default=None, description="Notify this channel.", examples=[_CHANNEL])
    rota_id: UUID | None = Field(default=None, description="Notify who is on call in this rota.", examples=[None])

    @model_validator(mode="after")
    def _one_target(self) -> Self:
        if (self.channel_id is None) == (self.rota_id is None):
            message = "give channel_id or rota_id, one of them"
            raise ValueError(message)
        return self


class PolicyIn(BaseModel):
    """An escalation policy."""

    model_config = _STRICT

    name: Name = Field(description="What colleagues call it.", examples=["Clinic leads"])
    steps: list[StepIn] = Field(min_length=1, max_length=20, description="In order.")
    repeats: int = Field(default=0, ge=0, le=10, description="How often it begins anew.", examples=[1])


class PolicyOut(PolicyIn):
    """An escalation policy."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The policy.", examples=[_ID])


class SilenceIn(BaseModel):
    """A time in which channels do not learn of some alerts."""

    model_config = _STRICT

    rule: Kind | None = Field(default=None, description="Only alerts of this rule.", examples=["late"])
    facility: str | None = Field(default=None, max_length=100, description="DATIM id: only of it.", examples=[_DATIM])
    stream: Stream | None = Field(default=None, description="Only of this stream.", examples=[None])
    since: IsoInstant | None = Field(default=None, description="Now when left out.", examples=[None])
    until: IsoInstant = Field(description="Its end.", examples=["2027-01-02T06:00:00Z"])
    reason: Reason = Field(description="Why, for colleagues; name no person.", examples=["The server moves"])


class SilenceOut(BaseModel):
    """A silence."""

    id: UUID = Field(description="The silence.", examples=[_ID])
    rule: Kind | None = Field(description="Only alerts of this rule.", examples=["late"])
    facility: str | None = Field(description="DATIM id: only of it.", examples=[_DATIM])
    stream: Stream | None = Field(description="Only of this stream.", examples=[None])
    since: datetime = Field(description="Its beginning.")
    until: datetime = Field(description="Its end.")
    reason: str = Field(description="Why.", examples=["The server moves"])
    created_by: str = Field(description="Who made it.", examples=[f"person:{_ID}"])

    @classmethod
    def of(cls, row: AlertSilence, facility: str | None) -> "SilenceOut":
        """Return a silence as the API shows it."""
        values = row.model_dump(include={"id", "rule", "stream", "since", "until", "reason", "created_by"})
        return cls(**values, facility=facility)


class MemberIn(BaseModel):
    """A member of a rota."""

    model_config = _STRICT

    person_id: UUID = Field(description="A colleague who acts on alerts.", examples=[_PERSON])
    channel_id: UUID = Field(description="The channel that reaches them.", examples=[_CHANNEL])


class RotaIn(BaseModel):
    """A rotation of people who are on call."""

    model_config = _STRICT

    name: Name = Field(description="What colleagues call it.", examples=["Clinic leads"])
    members: list[MemberIn] = Field(min_length=1, max_length=50, description="In the order of their shifts.")
    first_day: IsoDay = Field(description="Day of the first hand-over.", examples=["2026-11-30"])
    shift_days: int = Field(default=7, ge=1, le=31, description="Days of a shift.", examples=[7])
    handover_time: TimeOfDay = Field(default="08:00", description="Of the partner's day.", examples=["08:00"])

    def values(self) -> dict[str, Any]:
        """Return the columns of the rota."""
        own = self.model_dump(exclude={"handover_time", "members"})
        members = [member.model_dump(mode="json") for member in self.members]
        return own | {"members": members, "handover_minute": minutes(self.handover_time)}


class RotaOut(BaseModel):
    """A rota."""

    id: UUID = Field(description="The rota.", examples=[_ID])
    name: str = Field(description="What colleagues call it.", examples=["Clinic leads"])
    members: list[MemberIn] = Field(description="In the order of their shifts.")
    first_day: date = Field(description="Day of the first hand-over.", examples=["2026-11-30"])
    shift_days: int = Field(description="Days of a shift.", examples=[7])
    handover_time: str = Field(description="Of the partner's day.", examples=["08:00"])

    @classmethod
    def of(cls, row: OnCallRota) -> "RotaOut":
        """Return a rota as the API shows it."""
        values = row.model_dump(include={"id", "name", "members", "first_day", "shift_days"})
        return cls(**values, handover_time=time_of_day(row.handover_minute))


class OnCallOverrideIn(BaseModel):
    """A member who is on call for a time instead of the one whose shift it is."""

    model_config = _STRICT

    person_id: UUID = Field(description="A member of the rota.", examples=[_PERSON])
    since: IsoInstant = Field(description="From then.", examples=["2026-12-24T08:00:00Z"])
    until: IsoInstant = Field(description="Until then.", examples=["2026-12-27T08:00:00Z"])


class OnCallOverrideOut(OnCallOverrideIn):
    """An override."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID = Field(description="The override.", examples=[_ID])


class OnCallOut(BaseModel):
    """Who is on call."""

    model_config = ConfigDict(from_attributes=True)

    person_id: UUID = Field(description="The person.", examples=[_PERSON])
    channel_id: UUID | None = Field(description="The channel that reaches them.", examples=[_CHANNEL])
    since: datetime = Field(description="Since then.")
    until: datetime = Field(description="Until then.")
    override: UUID | None = Field(description="The override that makes it so; null for the rotation.", examples=[None])

    @classmethod
    def of(cls, shift: Shift) -> "OnCallOut":
        """Return a shift as the API shows it."""
        return cls.model_validate(shift)
