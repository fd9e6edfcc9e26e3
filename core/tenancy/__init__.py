"""Tenants: creation, lookup and settings."""

from core.tenancy import settings
from core.tenancy.models import Tenant, TenantSetting
from core.tenancy.service import (
    CreatedTenant,
    create_tenant,
    describe_tenant,
    get_tenant,
    list_tenants,
    resume_tenant,
    suspend_tenant,
    tenant_of_role,
)

__all__ = [
    "CreatedTenant",
    "Tenant",
    "TenantSetting",
    "create_tenant",
    "describe_tenant",
    "get_tenant",
    "list_tenants",
    "resume_tenant",
    "settings",
    "suspend_tenant",
    "tenant_of_role",
]
