"""Tenants: creation, lookup and settings."""

from core.tenancy import settings
from core.tenancy.models import Tenant, TenantSetting
from core.tenancy.service import (
    CreatedTenant,
    Suspension,
    create_tenant,
    describe_tenant,
    get_tenant,
    list_tenants,
    resume_tenant,
    suspend_tenant,
    suspension_of,
    tenant_of_id,
    tenant_of_role,
)

__all__ = [
    "CreatedTenant",
    "Suspension",
    "Tenant",
    "TenantSetting",
    "create_tenant",
    "describe_tenant",
    "get_tenant",
    "list_tenants",
    "resume_tenant",
    "settings",
    "suspend_tenant",
    "suspension_of",
    "tenant_of_id",
    "tenant_of_role",
]
