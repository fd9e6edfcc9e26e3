"""Runs the scripts day by day with a frozen clock: uses, roll-ups, invoices, payments, and a database that is away."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

from sqlmodel import col, select

from billing.dunning.service import candidates, take_steps
from billing.invoices.credits import grant_credit
from billing.invoices.issuing import advance
from billing.invoices.models import Invoice
from billing.invoices.payments import balance, credit_note, record_payment
from billing.plans.schemas import AccountChange
from billing.plans.service import (
    Act,
    change_subscription,
    create_version,
    end_subscription,
    find_version,
    start_subscription,
    store_account,
)
from billing.rehearsal.kills import Kills
from billing.rehearsal.scripts import LATEST_DAYS, PLANS, Script, TermsFrom, Use
from billing.terms import Overrides
from core.clock import frozen
from core.database import platform_session, tenant_session
from core.errors import Conflict
from core.metering import record
from core.metering.corrections import correct
from core.metering.rollup import roll_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from sqlmodel import Session

    from core.database import TenantRef

Result = TypeVar("Result")

ACT = Act("system:rehearsal", "system", "Rehearsal")
SETTLING_DAYS = LATEST_DAYS + 100
"""Days after the last use, until which late use is invoiced."""


@dataclass
class Simulation:
    """The partners with their scripts, and what happened so far.

    Attributes:
        partners: tenant and script of each.
        away: the data database that is away, and the day on which it is not rolled up.
        counts: events, repetitions, payments and so on.
    """

    partners: list[tuple[TenantRef, Script]]
    seed: int
    away: tuple[str, date] | None = None
    chance: float = 0.02
    prefix: str = "rehearsal"
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._random = Random(self.seed)  # noqa: S311 - a simulation
        self.kills = Kills(self._random, self.chance)
        self._by_day: dict[date, list[tuple[TenantRef, Use]]] = {}
        for ref, script in self.partners:
            for use in script.uses:
                self._by_day.setdefault(use.recorded_on, []).append((ref, use))

    def run(self, progress: Callable[[date], None]) -> None:
        """Live through all days."""
        first = min(script.changes[0].day for _, script in self.partners) - timedelta(days=2)
        last = max(script.ends_on for _, script in self.partners) + timedelta(days=SETTLING_DAYS)
        quiet_from = max(self._by_day) if self._by_day else last
        with self.kills.watching():
            self._begin(first)
            day = first
            while day <= last:
                # One second before midnight in UTC: every use of the day is past.
                with frozen(datetime.combine(day, time(23, 59, 59), tzinfo=UTC)) as moment:
                    self._live(day, moment)
                progress(day)
                day += timedelta(days=1 if day < quiet_from else 4)

    def _begin(self, day: date) -> None:
        with frozen(datetime.combine(day, time(12), tzinfo=UTC)):
            for code, terms in PLANS.items():
                self._step(self._plan, code, terms)
            for ref, script in self.partners:
                self._step(self._subscribe, ref, script)

    def _plan(self, session: Session, code: str, terms: dict[str, Any]) -> None:
        create_version(session, f"{self.prefix}-{code}", terms, act=ACT)

    def _subscribe(self, session: Session, ref: TenantRef, script: Script) -> None:
        change = AccountChange(legal_name=ref.name, tax_rate=Decimal(script.tax_rate), tax_exemption=script.exemption)
        default = {"time_zone": script.zone}
        store_account(session, ref.id, change, act=ACT, default=default)
        first = script.changes[0]
        start_subscription(session, ref.id, self._version(session, first), first.day, act=ACT, add_ons=first.add_ons)

    def _version(self, session: Session, change: TermsFrom) -> Any:  # noqa: ANN401 - a plan's version
        return find_version(session, f"{self.prefix}-{change.plan}")

    def _step(self, function: Callable[..., Result], *values: object) -> Result:
        """Run ``function(session, *values)`` as one transaction, which may be killed and is then run again."""

        def run() -> Result:
            with platform_session() as session:
                return function(session, *values)

        return self.kills.step(run)

    def _live(self, day: date, moment: datetime) -> None:
        for ref, script in self.partners:
            self._change(ref, script, day)
        for ref, use in self._by_day.get(day, ()):
            self.kills.step(self._use, ref, use)
        for database in sorted({ref.database for ref, _ in self.partners}):
            if (database, day) != self.away:
                while self.kills.step(roll_up, database) is not None:
                    self.counts["batches"] += 1
        for number, (ref, _) in enumerate(self.partners):
            if (number + day.toordinal()) % 3 == 0:
                while self._step(_advance, ref, moment) is not None:
                    pass
                self._step(self._settle, ref, day, moment)
        if day.day % 5 == 0:
            self._remind(moment)

    def _remind(self, moment: datetime) -> None:
        own = {ref.id for ref, _ in self.partners}
        for tenant_id in self._step(candidates, moment):
            if tenant_id in own:
                self._step(_take_steps, tenant_id, moment)

    def _change(self, ref: TenantRef, script: Script, day: date) -> None:
        """Make the changes that are scheduled for ten days later, the end, and the credits of the day."""
        for change in script.changes[1:]:
            if change.day == day + timedelta(days=10) and change.day < script.ends_on:
                self._step(self._schedule, ref, change)
        if script.ends_on == day + timedelta(days=15):
            self._step(_end, ref, script.ends_on)
        for granted, amount, priority, expires_on in script.credits:
            if granted == day:
                currency = script.changes[0].terms["currency"]
                self._step(_grant, ref, Decimal(amount), currency, day, priority, expires_on)

    def _schedule(self, session: Session, ref: TenantRef, change: TermsFrom) -> None:
        change_subscription(
            session,
            ref.id,
            change.day,
            act=ACT,
            version=self._version(session, change),
            add_ons=change.add_ons,
            overrides=Overrides.model_validate(change.overrides),
        )

    def _use(self, ref: TenantRef, use: Use) -> None:
        values: dict[str, Any] = {"key": use.key, "occurred_at": use.at, "dimensions": use.dimensions}
        times = 2 if use.fate == "repeated" else 1
        for _ in range(times):
            with tenant_session(ref, actor="system:rehearsal") as session:
                self.counts["events"] += int(record(session, use.meter, use.value, **values))
        if use.fate == "contradicted":
            try:
                with tenant_session(ref, actor="system:rehearsal") as session:
                    record(
                        session, use.meter, use.value + 1, key=use.key, occurred_at=use.at, dimensions=use.dimensions
                    )
            except Conflict:
                self.counts["conflicts"] += 1
        if use.fate == "corrected":
            try:
                with tenant_session(ref, actor="system:rehearsal") as session:
                    correct(session, use.meter, key=use.key, reason="A rehearsal")
            except Conflict:
                return  # the step was killed after the correction
            self.counts["corrections"] += 1

    def _settle(self, session: Session, ref: TenantRef, day: date, moment: datetime) -> None:
        """Pay what is due, most of it; correct and refund some. What a killed step did not do, the next day does."""
        query = select(Invoice).where(
            Invoice.tenant_id == ref.id, Invoice.state == "final", Invoice.kind != "credit_note",
            col(Invoice.due_on) <= day,
        )  # fmt: skip
        for invoice in session.exec(query).all():
            owed = balance(session, invoice)
            choice = (invoice.number or 0) % 10
            if choice == 0 or owed <= 0:
                continue  # it is never paid
            reference = f"{self.prefix}-{invoice.id}"
            self._pay(session, invoice, owed, day, reference)
            if choice == 1:
                note = credit_note(session, invoice.id, now=moment, act=ACT)
                self._pay(session, invoice, note.total, day, f"{reference}-back")

    def _pay(self, session: Session, invoice: Invoice, amount: Decimal, day: date, reference: str) -> None:
        record_payment(session, invoice.id, amount, received_on=day, method="rehearsal", reference=reference, act=ACT)


def _advance(session: Session, ref: TenantRef, moment: datetime) -> Invoice | None:
    return advance(session, ref.id, now=moment, act=ACT)


def _take_steps(session: Session, tenant_id: UUID, moment: datetime) -> None:
    take_steps(session, tenant_id, now=moment, act=ACT)


def _end(session: Session, ref: TenantRef, day: date) -> None:
    end_subscription(session, ref.id, day, act=ACT)


def _grant(
    session: Session,
    ref: TenantRef,
    amount: Decimal,
    currency: str,
    day: date,
    priority: int,
    expires_on: date | None,
) -> None:
    grant_credit(session, ref.id, amount, currency, today=day, act=ACT, priority=priority, expires_on=expires_on)
