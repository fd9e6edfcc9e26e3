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
        "tenants.portal.admin_webhook_pages:router",
        "tenants.portal.admin_setting_pages:router",
        "tenants.portal.admin_schedule_pages:router",
        "tenants.portal.admin_audit_pages:router",
        "tenants.portal.sso_admin_pages:router",
        "tenants.portal.operator_pages:router",
        "tenants.portal.operator_job_pages:router",
        "tenants.portal.operator_connection_pages:router",
        "tenants.portal.operator_error_pages:router",
        "tenants.portal.operator_webhook_pages:router",
        "tenants.portal.operator_cache_pages:router",
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
        NavigationEntry(marked("Today"), "/today", 1),
        NavigationEntry(marked("Patients"), "/patients", 2),
        NavigationEntry(marked("Data"), "/data", 3),
        NavigationEntry(marked("Programme"), "/programme", 4),
        NavigationEntry(marked("Reports"), "/reports", 5),
        NavigationEntry(marked("Admin"), "/admin", 6),
        NavigationEntry(marked("Operators"), "/operators", 7),
    ),
    templates={"portal": "tenants.portal.feature:templates"},
)
