"""The registration of the room ``portal`` with the kernel."""

from core.feature_registry import Feature, NavigationEntry
from core.web.texts import marked

feature = Feature(
    name="portal",
    pages=(
        "tenants.portal.today_pages:router",
        "tenants.portal.assign_pages:router",
        "tenants.portal.patient_pages:router",
        "tenants.portal.data_pages:router",
        "tenants.portal.import_pages:router",
        "tenants.portal.candidate_pages:router",
        "tenants.portal.programme_pages:router",
        "tenants.portal.report_pages:router",
        "tenants.portal.account_pages:router",
        "tenants.portal.admin_pages:router",
        "tenants.portal.admin_people_file_pages:router",
        "tenants.portal.admin_people_pages:router",
        "tenants.portal.admin_role_pages:router",
        "tenants.portal.admin_key_pages:router",
        "tenants.portal.admin_setting_pages:router",
        "tenants.portal.admin_audit_pages:router",
        "tenants.portal.sso_admin_pages:router",
        "tenants.portal.operator_pages:router",
        "tenants.portal.operator_job_pages:router",
        "tenants.portal.factor_pages:router",
    ),
    public_pages=(
        "tenants.portal.sign_in_pages:router",
        "tenants.portal.sso_sign_in_pages:router",
        "tenants.portal.kit_pages:router",
        "tenants.portal.factor_sign_in_pages:router",
        "tenants.portal.password_pages:router",
    ),
    sign_in="/sign-in",
    navigation=(
        NavigationEntry(marked("Today"), "/today", "worklists.read", 1, by_patient=True),
        NavigationEntry(marked("Patients"), "/patients", "patients.read", 2, by_patient=True),
        NavigationEntry(marked("Data"), "/data", "imports.read", 3),
        NavigationEntry(marked("Programme"), "/programme", "cohort.read", 4),
        NavigationEntry(marked("Reports"), "/reports", "reports.read", 5),
        NavigationEntry(
            marked("Admin"),
            "/admin",
            "settings.read",
            6,
            alternatives=("people.read", "sso.manage", "keys.read", "audit.read"),
        ),
        NavigationEntry(marked("Operators"), "/operators", "operations.read", 7),
    ),
    templates={"portal": "tenants.portal.feature:templates"},
)
