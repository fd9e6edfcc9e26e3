"""Tenants are made whole or not at all, found by their slug, and refused while suspended."""

from core.tenancy import get_tenant


def test_a_new_tenant_is_found_by_its_slug(tenant):
    assert get_tenant(tenant.slug) == tenant
