"""Own roles of a tenant, and a look at what they permit."""

import pytest

from core.identity.tenant_roles import service
from core.identity.tenant_roles.changes import roles_at
from core.identity.tenant_roles.compiled import permissions_of

AUTHOR = service.RoleAuthor("test:1", source="cli")


@pytest.fixture
def create(tenant):
    """Creates a role: ``create("lead", "jobs.read", includes=("viewer",))``."""

    def make(name, *permissions, includes=(), of=None):
        draft = service.RoleDraft(name, "Leads", tuple(includes), permissions)
        return service.create_role(of or tenant, draft, AUTHOR)

    return make


@pytest.fixture
def permitted(tenant):
    """What roles permit now, as a request would see it: ``permitted("lead")``."""
    return lambda *roles: permissions_of(tenant, roles, roles_at(tenant.id))
