"""The registration of billing with the kernel."""

from billing.entitlements.event_types import QUOTA_TYPES
from core.feature_registry import Command, Feature, Loop, NavigationEntry, Permission
from core.web.texts import marked

_SOURCES = ("api", "cli", "page", "system")
_ACTS = (
    "plan:create",
    "billing_account:change",
    "subscription:start",
    "subscription:change",
    "subscription:end",
    "invoice:issue",
    "invoice:void",
    "invoice:credit_note",
    "credit:grant",
    "credit:revoke",
    "payment:record",
    "dunning:reminder",
    "dunning:extras_off",
    "dunning:extras_on",
    "cost_table:set",
    "cost_budget:set",
    "cost_budget:end",
    "cost_notice:see",
    "provider_call:retry",
    "provider_event:retry",
    "provider_difference:close",
)

feature = Feature(
    name="billing",
    routers=(
        "billing.invoices.api:router",
        "billing.plans.operator_api:router",
        "billing.invoices.operator_api:router",
        "billing.dunning.api:router",
        "billing.payments.operator_api:router",
        "billing.costs.api:router",
    ),
    pages=(
        "billing.console.overview_pages:router",
        "billing.console.tenant_pages:router",
        "billing.console.price_pages:router",
        "billing.console.export_pages:router",
        "billing.console.plan_pages:router",
        "billing.console.invoice_pages:router",
        "billing.console.usage_pages:router",
        "billing.console.cost_pages:router",
        "billing.console.payment_pages:router",
        "billing.console.partner_pages:router",
    ),
    navigation=(NavigationEntry(marked("Business"), "/operators/billing", 11),),
    templates={"billing": "billing.console.shell:templates"},
    public_routers=("billing.payments.hooks_api:router",),
    tables=(
        "billing.plans.models",
        "billing.invoices.models",
        "billing.entitlements.models",
        "billing.dunning.models",
        "billing.payments.models",
        "billing.costs.models",
    ),
    permissions=(
        Permission("billing.read", "See what the partner uses, its plan, what it will pay, and its invoices"),
        Permission(
            "business.read",
            "See every partner's plan, usage, invoices, payments and costs",
            roles=("platform_admin",),
            operator=True,
        ),
        Permission(
            "business.write",
            "Change plans and subscriptions; issue invoices and credits; record payments; suspend partners",
            roles=("platform_admin",),
            operator=True,
        ),
    ),
    audit_actions=tuple(f"{source}:{act}" for source in _SOURCES for act in _ACTS),
    events=QUOTA_TYPES,
    loops=(
        Loop("quotas", "billing.entitlements.near:look", seconds=300.0, first_seconds=90.0),
        Loop("invoices", "billing.invoices.loop:issue_due", seconds=3600.0, first_seconds=90.0),
        Loop("dunning", "billing.dunning.loop:look", seconds=60.0, first_seconds=30.0),
        Loop("business_metrics", "billing.console.business_metrics:look", seconds=300.0, first_seconds=45.0),
        Loop("costs", "billing.costs.notices:look", seconds=3600.0, first_seconds=240.0),
        Loop("provider_plans", "billing.payments.loops:plan", seconds=60.0, first_seconds=20.0),
        Loop("provider_calls", "billing.payments.loops:exchange", seconds=5.0, first_seconds=10.0),
        Loop("provider_events", "billing.payments.loops:catch_up", seconds=600.0, first_seconds=60.0),
    ),
    entitlements="billing.entitlements.service:decide",
    dependencies=("billing.payments.dependency:STRIPE",),
    tags={"billing": "The partner's plan, what it uses and pays, and its invoices."},
    commands={"billing": Command("billing.plans.commands:billing", "Plans, subscriptions, invoices, payments")},
)
