"""The registration of billing with the kernel."""

from core.feature_registry import Feature, Permission

feature = Feature(
    name="billing",
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
)
