"""Rules of plans, accounts and subscriptions. Nothing that was invoiced changes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, text
from sqlmodel import col, select

from billing.plans.checks import check_meters, checked_terms, complete_overrides
from billing.plans.models import BillingAccount, Plan, PlanVersion, Subscription, SubscriptionChange
from billing.plans.timeline import terms_of
from billing.terms import Overrides
from core.audit.platform import record_act
from core.clock import now
from core.errors import Conflict, Invalid, NotFound, phrase
from core.web.days import plausible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlmodel import Session

    from billing.plans.schemas import AccountChange
    from billing.terms import PlanTerms


@dataclass(frozen=True, slots=True)
class Act:
    """Who changes something, and from where.

    Attributes:
        actor: such as ``cli:<user>`` or ``person:<id>``.
        source: ``api``, ``cli``, ``page`` or ``system``, for the audit.
        reason: why; name no person.
    """

    actor: str
    source: str = "cli"
    reason: str = ""


def record(session: Session, act: Act, action: str, tenant_id: UUID | None, **detail: object) -> None:
    """Add an act of billing to the platform's audit, such as ``subscription:start``."""
    noted = {name: value if isinstance(value, int) else str(value) for name, value in detail.items()}
    record_act(
        session,
        f"{act.source}:{action}",
        actor=act.actor,
        tenant_id=tenant_id,
        detail={**noted, **({"reason": act.reason} if act.reason else {})},
    )


def create_version(
    session: Session, code: str, terms: Mapping[str, Any] | PlanTerms, *, act: Act, name: str = ""
) -> tuple[Plan, PlanVersion]:
    """Create the next version of a plan, and the plan if there is none of that code.

    Args:
        session: of the control database.
        code: of the plan: lower-case letters, digits, ``-`` and ``_``.
        terms: see ``billing.terms.PlanTerms``.
        act: who, and why the terms change.
        name: of a new plan; its code when empty.

    Raises:
        Invalid: the terms or the code are not valid, or equal those of the newest version.
    """
    checked = checked_terms(terms)
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:code, 14))"), {"code": code})
    plan = session.exec(select(Plan).where(Plan.code == code)).one_or_none()
    if plan is None:
        _check_code(code)
        plan = Plan(code=code, name=name or code, created_by=act.actor, created_at=now())
        session.add(plan)
        session.flush()
    newest = _versions(session, plan.id)[:1]
    content = checked.model_dump(mode="json")
    if newest and newest[0].terms == content:
        detail = phrase("version {number} of the plan already has these terms", number=newest[0].number)
        raise Invalid(detail, remedy="Change the terms, or use that version.")
    number = newest[0].number + 1 if newest else 1
    version = PlanVersion(
        plan_id=plan.id, number=number, terms=content, note=act.reason, created_by=act.actor, created_at=now()
    )
    session.add(version)
    session.flush()
    record(session, act, "plan:create", None, plan=code, version=number)
    return plan, version


def list_plans(session: Session) -> list[tuple[Plan, PlanVersion]]:
    """Return all plans with their newest version, by code."""
    rows = session.exec(
        select(Plan, PlanVersion)
        .join(PlanVersion, col(PlanVersion.plan_id) == Plan.id)
        .order_by(col(Plan.code), col(PlanVersion.number))
    ).all()
    return list({plan.code: (plan, version) for plan, version in rows}.values())


def describe_plan(session: Session, code: str) -> tuple[Plan, list[PlanVersion]]:
    """Return a plan with its versions, the newest first.

    Raises:
        NotFound: there is no such plan.
    """
    plan = session.exec(select(Plan).where(Plan.code == code)).one_or_none()
    if plan is None:
        raise NotFound(phrase("there is no plan {code}", code=code), command="`iit billing plan list` lists the plans")
    return plan, _versions(session, plan.id)


def find_version(session: Session, reference: str) -> PlanVersion:
    """Return the version that ``code`` (the newest) or ``code@3`` names.

    Raises:
        NotFound: there is no such plan or version.
    """
    code, _, number = reference.partition("@")
    _, versions = describe_plan(session, code)
    chosen = [version for version in versions if not number or str(version.number) == number]
    if not chosen:
        raise NotFound(phrase("the plan {code} has no version {number}", code=code, number=number))
    return chosen[0]


def get_account(session: Session, tenant_id: UUID) -> BillingAccount:
    """Return the account of a tenant.

    Raises:
        NotFound: it has none.
    """
    return _account(session.get(BillingAccount, tenant_id))


def lock_account(session: Session, tenant_id: UUID) -> BillingAccount:
    """Return the account of a tenant, locked until the transaction ends: whoever charges the tenant takes turns.

    Raises:
        NotFound: it has none.
    """
    return _account(session.get(BillingAccount, tenant_id, with_for_update=True, populate_existing=True))


def store_account(
    session: Session, tenant_id: UUID, change: AccountChange, *, act: Act, default: Mapping[str, Any] | None = None
) -> BillingAccount:
    """Create or change the account of a tenant. What ``change`` does not name stays.

    Args:
        session: of the control database.
        tenant_id: the tenant.
        change: the values to set.
        act: who.
        default: values of a new account: its ``legal_name`` and ``time_zone``.

    Raises:
        NotFound: there is no account, and no default to create one.
        Conflict: the time zone would change under a subscription, whose days would then overlap or leave a gap.
    """
    account = session.get(BillingAccount, tenant_id, with_for_update=True, populate_existing=True)
    if account is None:
        if default is None:
            account = _account(None)
        account = BillingAccount(tenant_id=tenant_id, updated_by=act.actor, **(default or {}))
    values = change.model_dump(exclude_unset=True)
    if values.get("time_zone", account.time_zone) != account.time_zone and _latest(session, tenant_id) is not None:
        detail = "the time zone of an account with a subscription cannot change"
        raise Conflict(detail, remedy="Send the account without a time zone.")
    for name, value in values.items():
        setattr(account, name, value)
    account.updated_at, account.updated_by = now(), act.actor
    session.add(account)
    session.flush()
    record(session, act, "billing_account:change", tenant_id, changed=", ".join(sorted(values)))
    return account


def start_subscription(
    session: Session,
    tenant_id: UUID,
    version: PlanVersion,
    starts_on: date,
    *,
    act: Act,
    add_ons: Sequence[str] = (),
    overrides: Overrides | None = None,
) -> Subscription:
    """Start the subscription of a tenant, which needs an account.

    Raises:
        NotFound: the tenant has no account.
        Conflict: an earlier subscription covers the day or a later one.
        Invalid: the add-ons or overrides do not fit the plan, or the day is not plausible.
    """
    lock_account(session, tenant_id)
    latest = _latest(session, tenant_id)
    if latest is not None and (latest.ends_on is None or latest.ends_on > starts_on):
        if latest.ends_on is None:
            detail = phrase("the partner has a subscription since {day}", day=latest.started_on)
        else:
            detail = phrase("the partner has a subscription until {day}", day=latest.ends_on)
        raise Conflict(detail, remedy="Change that subscription, or end it first.")
    subscription = Subscription(tenant_id=tenant_id, started_on=starts_on, created_by=act.actor, created_at=now())
    session.add(subscription)
    session.flush()
    _add_change(session, subscription, starts_on, version, add_ons, overrides, act)
    record(session, act, "subscription:start", tenant_id, starts_on=starts_on, version=version.id)
    return subscription


def change_subscription(
    session: Session,
    tenant_id: UUID,
    effective_on: date,
    *,
    act: Act,
    version: PlanVersion | None = None,
    add_ons: Sequence[str] | None = None,
    overrides: Overrides | None = None,
) -> SubscriptionChange:
    """Schedule other terms from a day on. What is None stays as it is on that day.

    Raises:
        NotFound: the tenant has no subscription.
        Conflict: days from then on are invoiced, or the subscription does not cover the day.
        Invalid: the add-ons or overrides do not fit the plan, or the day is not plausible.
    """
    lock_account(session, tenant_id)
    subscription = _covering(session, tenant_id, effective_on)
    before = _change_on(session, subscription.id, effective_on)
    version_before = session.get_one(PlanVersion, before.plan_version_id)
    change = _add_change(
        session,
        subscription,
        effective_on,
        version or version_before,
        before.add_ons if add_ons is None else add_ons,
        Overrides.model_validate(before.overrides) if overrides is None else overrides,
        act,
    )
    record(session, act, "subscription:change", tenant_id, effective_on=effective_on, version=change.plan_version_id)
    return change


def end_subscription(session: Session, tenant_id: UUID, ends_on: date, *, act: Act) -> Subscription:
    """End the subscription: ``ends_on`` is the first day that it does not cover. An end that lies ahead may move.

    Raises:
        NotFound: the tenant has no subscription.
        Conflict: days from then on are invoiced, or the subscription begins later.
    """
    lock_account(session, tenant_id)
    subscription = _latest(session, tenant_id)
    if subscription is None:
        raise _no_subscription()
    if ends_on <= subscription.started_on:
        raise Conflict(phrase("the subscription begins on {day}", day=subscription.started_on))
    _check_invoiced(subscription, ends_on)
    subscription.ends_on = ends_on
    session.add(subscription)
    session.flush()
    record(session, act, "subscription:end", tenant_id, ends_on=ends_on)
    return subscription


def _add_change(
    session: Session,
    subscription: Subscription,
    effective_on: date,
    version: PlanVersion,
    add_ons: Sequence[str],
    overrides: Overrides | None,
    act: Act,
) -> SubscriptionChange:
    try:
        plausible(effective_on)
        complete = complete_overrides(overrides or Overrides(), terms_of(version, add_ons, {}))
        content = complete.model_dump(mode="json", exclude_unset=True)
        terms = terms_of(version, add_ons, content)
    except ValueError as error:
        raise Invalid(str(error), remedy="Correct the day, the add-ons or the overrides.") from error
    check_meters([each for each in terms.meters if each.meter in complete.meters])
    last = session.exec(
        select(func.max(SubscriptionChange.number)).where(SubscriptionChange.subscription_id == subscription.id)
    ).one()
    change = SubscriptionChange(
        subscription_id=subscription.id,
        number=(last or 0) + 1,
        effective_on=effective_on,
        plan_version_id=version.id,
        add_ons=sorted(set(add_ons)),
        overrides=content,
        reason=act.reason,
        created_by=act.actor,
        created_at=now(),
    )
    session.add(change)
    session.flush()
    return change


def _covering(session: Session, tenant_id: UUID, day: date) -> Subscription:
    subscription = _latest(session, tenant_id)
    if subscription is None:
        raise _no_subscription()
    if day < subscription.started_on or (subscription.ends_on is not None and day >= subscription.ends_on):
        raise Conflict(phrase("the subscription does not cover {day}", day=day))
    _check_invoiced(subscription, day)
    return subscription


def _check_invoiced(subscription: Subscription, day: date) -> None:
    if subscription.invoiced_until is not None and day < subscription.invoiced_until:
        detail = phrase("days before {day} are invoiced", day=subscription.invoiced_until)
        raise Conflict(detail, remedy="Choose that day or a later one; correct invoices with a credit note.")


def _no_subscription() -> NotFound:
    return NotFound("the partner has no subscription", command="`iit billing subscribe` starts one")


def _latest(session: Session, tenant_id: UUID) -> Subscription | None:
    query = (
        select(Subscription).where(Subscription.tenant_id == tenant_id).order_by(col(Subscription.started_on).desc())
    )
    return session.exec(query.limit(1).execution_options(populate_existing=True)).one_or_none()


def _change_on(session: Session, subscription_id: UUID, day: date) -> SubscriptionChange:
    query = (
        select(SubscriptionChange)
        .where(SubscriptionChange.subscription_id == subscription_id, col(SubscriptionChange.effective_on) <= day)
        .order_by(col(SubscriptionChange.effective_on).desc(), col(SubscriptionChange.number).desc())
    )
    return session.exec(query.limit(1)).one()


def _versions(session: Session, plan_id: UUID) -> list[PlanVersion]:
    query = select(PlanVersion).where(PlanVersion.plan_id == plan_id).order_by(col(PlanVersion.number).desc())
    return list(session.exec(query).all())


def _account(account: BillingAccount | None) -> BillingAccount:
    if account is None:
        raise NotFound("the partner has no billing account", command="`iit billing account SLUG --legal-name NAME`")
    return account


def _check_code(code: str) -> None:
    if not (code and len(code) <= 40 and code[0].isalpha() and code.replace("-", "a").replace("_", "a").isalnum()) or (  # noqa: PLR2004
        not code.isascii() or code != code.lower()
    ):
        raise Invalid(
            phrase("{code} cannot be the code of a plan", code=repr(code)),
            remedy="Use up to 40 lower-case letters, digits, - and _, with a letter first.",
        )
