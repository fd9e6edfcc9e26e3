"""The rules of a tenant: the defaults of their kinds, and what the tenant changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import select

from core import audit
from core.clock import now
from core.errors import NotFound, phrase
from core.errors.nearest import remedy_for
from tenants.alerts.kinds import KINDS, RuleKind
from tenants.alerts.models import AlertRule
from tenants.records.ids import new_uuid

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from core.database import TenantSession
    from core.web.etag import ExpectedVersions


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it applies to one tenant.

    Attributes:
        kind: its kind.
        enabled: whether it raises alerts.
        severity: of its alerts.
        threshold: in the kind's unit.
        repeat_hours: an alert that goes on notifies its channels again at most once in this time.
        version_id: of the tenant's choice; None for the defaults.
        changed_by, changed_at: who chose, and when.
    """

    kind: RuleKind
    enabled: bool
    severity: str
    threshold: int
    repeat_hours: int
    version_id: UUID | None = None
    changed_by: str | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RuleChoice:
    """What a tenant chooses for a rule."""

    enabled: bool
    severity: str
    threshold: int
    repeat_hours: int


def list_rules(session: TenantSession) -> list[Rule]:
    """Return every rule, in the order of the kinds."""
    rows = {row.kind: row for row in session.exec(select(AlertRule)).all()}
    return [_rule(kind, rows.get(kind.name)) for kind in KINDS.values()]


def get_rule(session: TenantSession, name: str) -> Rule:
    """Return one rule.

    Raises:
        NotFound: there is no such kind (404).
    """
    return _rule(_kind(name), session.get(AlertRule, name))


def change_rule(session: TenantSession, name: str, choice: RuleChoice, seen: ExpectedVersions, *, source: str) -> Rule:
    """Change a rule. Alerts that are open keep their severity.

    Raises:
        NotFound: there is no such kind (404).
        PreconditionRequired: it was changed before, and the caller names no version (428).
        PreconditionFailed: the caller has seen another version (412).
    """
    kind = _kind(name)
    row = session.exec(select(AlertRule).where(AlertRule.kind == name).with_for_update()).first()
    seen.check_one(None if row is None else row.version_id)
    if row is None:
        row = AlertRule(kind=name, severity="", threshold=0, repeat_hours=0, changed_by=session.actor)
    row.enabled, row.severity = choice.enabled, choice.severity
    row.threshold, row.repeat_hours = choice.threshold, choice.repeat_hours
    row.version_id, row.changed_by, row.changed_at = new_uuid(), session.actor, now()
    session.add(row)
    session.flush()
    detail = {"rule": name, "enabled": row.enabled, "severity": row.severity, "threshold": row.threshold}
    audit.record(session, f"{source}:alert_rule:change", "alert_rule", None, detail)
    return _rule(kind, row)


def _kind(name: str) -> RuleKind:
    if name not in KINDS:
        raise NotFound(phrase("there is no rule {name}", name=name), remedy=remedy_for(name, KINDS))
    return KINDS[name]


def _rule(kind: RuleKind, row: AlertRule | None) -> Rule:
    if row is None:
        return Rule(
            kind, enabled=True, severity=kind.severity, threshold=kind.threshold, repeat_hours=kind.repeat_hours
        )
    return Rule(
        kind,
        row.enabled,
        row.severity,
        row.threshold,
        row.repeat_hours,
        row.version_id,
        row.changed_by,
        row.changed_at,
    )
