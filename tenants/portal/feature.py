"""What the room ``portal`` registers with the kernel."""

from core.feature_registry import Feature, NavigationEntry

feature = Feature(
    name="portal",
    pages=(
        "tenants.portal.today_pages:router",
        "tenants.portal.patient_pages:router",
        "tenants.portal.account_pages:router",
    ),
    public_pages=("tenants.portal.sign_in_pages:router",),
    sign_in="/sign-in",
    navigation=(
        NavigationEntry("Today", "/today", "worklists.read", 1),
        NavigationEntry("Patients", "/patients", "patients.read", 2),
    ),
    templates={"portal": "tenants.portal.feature:templates"},
)
