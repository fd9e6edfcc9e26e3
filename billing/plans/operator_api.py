"""The API's routes of operators for plans, and for the accounts and subscriptions of all tenants."""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from sqlmodel import Session

from billing.plans.schemas import (
    AccountChange,
    AccountOut,
    PlanSummary,
    PlanVersionIn,
    PlanVersions,
    SubscriptionChangeIn,
    SubscriptionEndIn,
    SubscriptionIn,
    SubscriptionOut,
)
from billing.plans.service import (
    Act,
    change_subscription,
    create_version,
    describe_plan,
    end_subscription,
    find_version,
    get_account,
    list_plans,
    start_subscription,
    store_account,
)
from billing.plans.timeline import timelines_of
from core.access import require_operator
from core.database import platform_session
from core.errors import Conflict, Invalid, NotFound
from core.errors.problem import responses
from core.identity import Principal
from core.tenancy import describe_tenant

router = APIRouter(prefix="/operators/billing", tags=["operators"])

Reader = Annotated[Principal, Depends(require_operator("business.read"))]
Writer = Annotated[Principal, Depends(require_operator("business.write"))]
Slug = Annotated[str, Path(max_length=100, description="Short name of the tenant.")]
Code = Annotated[str, Path(max_length=40, description="Code of the plan.")]


@router.get("/plans", operation_id="list_plans", summary="List the plans")
def get_plans(_: Reader) -> list[PlanSummary]:
    """Return every plan with its newest version, by code."""
    with platform_session() as session:
        return [PlanSummary.of(plan, version) for plan, version in list_plans(session)]


@router.get("/plans/{code}", operation_id="get_plan_versions", summary="Get a plan", responses=responses(NotFound))
def get_plan_versions(_: Reader, code: Code) -> PlanVersions:
    """Return a plan with all its versions."""
    with platform_session() as session:
        plan, versions = describe_plan(session, code)
        return PlanVersions(code=plan.code, name=plan.name, versions=[PlanSummary.of(plan, each) for each in versions])


@router.post(
    "/plans/{code}/versions", operation_id="create_plan_version", summary="Create the next version of a plan",
    responses=responses(Invalid),
)  # fmt: skip
def post_version(principal: Writer, code: Code, body: PlanVersionIn) -> PlanSummary:
    """Create a version, and the plan if its code is new. Partners stay on their version until you change it."""
    with platform_session() as session:
        act = Act(principal.actor, "api", body.note)
        return PlanSummary.of(*create_version(session, code, body.terms, act=act, name=body.name))


@router.get(
    "/tenants/{slug}/account", operation_id="get_billing_account", summary="Get the billing account of a tenant",
    responses=responses(NotFound),
)  # fmt: skip
def get_billing_account(_: Reader, slug: Slug) -> AccountOut:
    """Return whom and how to invoice."""
    with platform_session() as session:
        return AccountOut.model_validate(get_account(session, describe_tenant(slug).id))


@router.patch(
    "/tenants/{slug}/account", operation_id="change_billing_account", summary="Change the billing account of a tenant",
    responses=responses(NotFound, Conflict),
)  # fmt: skip
def patch_account(principal: Writer, slug: Slug, body: AccountChange) -> AccountOut:
    """Change the account, or create it. What the body does not name stays as it is."""
    tenant = describe_tenant(slug)
    default = {"legal_name": tenant.name, "time_zone": tenant.time_zone}
    with platform_session() as session:
        act = Act(principal.actor, "api")
        return AccountOut.model_validate(store_account(session, tenant.id, body, act=act, default=default))


@router.get(
    "/tenants/{slug}/subscriptions", operation_id="list_subscriptions", summary="List the subscriptions of a tenant",
    responses=responses(NotFound),
)  # fmt: skip
def get_subscriptions(_: Reader, slug: Slug) -> list[SubscriptionOut]:
    """Return the subscriptions with their terms over time, oldest first."""
    return _subscriptions(describe_tenant(slug).id)


@router.post(
    "/tenants/{slug}/subscriptions", operation_id="create_subscription", summary="Create a subscription",
    responses=responses(NotFound, Conflict),
)  # fmt: skip
def post_subscription(principal: Writer, slug: Slug, body: SubscriptionIn) -> SubscriptionOut:
    """Start the subscription of a tenant, which needs a billing account."""

    def start(session: Session, tenant_id: UUID, act: Act) -> None:
        version = find_version(session, body.plan)
        start_subscription(
            session, tenant_id, version, body.starts_on, act=act, add_ons=body.add_ons, overrides=body.overrides
        )

    return _changed(principal, slug, body.reason, start)


@router.post(
    "/tenants/{slug}/subscriptions/changes", operation_id="change_subscription", summary="Change a subscription",
    responses=responses(NotFound, Conflict),
)  # fmt: skip
def post_change(principal: Writer, slug: Slug, body: SubscriptionChangeIn) -> SubscriptionOut:
    """Change the terms of a tenant from a day on. Fees of a period that is cut are charged by days."""

    def change(session: Session, tenant_id: UUID, act: Act) -> None:
        version = None if body.plan is None else find_version(session, body.plan)
        change_subscription(
            session,
            tenant_id,
            body.effective_on,
            act=act,
            version=version,
            add_ons=body.add_ons,
            overrides=body.overrides,
        )

    return _changed(principal, slug, body.reason, change)


@router.post(
    "/tenants/{slug}/subscriptions/end", operation_id="end_subscription", summary="End a subscription",
    responses=responses(NotFound, Conflict),
)  # fmt: skip
def post_end(principal: Writer, slug: Slug, body: SubscriptionEndIn) -> SubscriptionOut:
    """End the subscription of a tenant. Its data stay, and it works on as without a plan."""

    def end(session: Session, tenant_id: UUID, act: Act) -> None:
        end_subscription(session, tenant_id, body.ends_on, act=act)

    return _changed(principal, slug, body.reason, end)


def _changed(
    principal: Principal, slug: str, reason: str, change: Callable[[Session, UUID, Act], None]
) -> SubscriptionOut:
    """Change the subscription of a tenant, and return it."""
    tenant = describe_tenant(slug)
    with platform_session() as session:
        change(session, tenant.id, Act(principal.actor, "api", reason))
    return _subscriptions(tenant.id)[-1]


def _subscriptions(tenant_id: UUID) -> list[SubscriptionOut]:
    with platform_session() as session:
        return [SubscriptionOut.model_validate(each) for each in timelines_of(session, tenant_id)]
