"""Two tenants, each with a client of the whole application."""

import pytest

from tests.isolation.routes import World
from tests.keyed import KeyedClient


@pytest.fixture(scope="module")
def module_patch():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def two(make_tenant):
    """The owner of everything that a case makes, and a stranger."""
    return make_tenant(), make_tenant()


class NoRecords:
    """Domains without records: no case asks a name server."""

    def txt_records(self, domain):
        return []


@pytest.fixture(scope="module")
def world(application, two, module_patch):
    module_patch.setattr("core.identity.oidc.domains.prover", NoRecords())
    owner, stranger = two
    with (
        KeyedClient(application, headers={"X-API-Key": owner.api_key}) as ours,
        KeyedClient(application, headers={"X-API-Key": stranger.api_key}) as theirs,
    ):
        yield World(owner.ref, ours, theirs)
    _drop_jobs(owner.ref, stranger.ref)


def _drop_jobs(*tenants):
    """Jobs that the cases asked for are nobody's: a worker of another test must not meet them."""
    from core.database import owner_connection

    with owner_connection() as connection:
        roles = [tenant.role_name for tenant in tenants]
        connection.execute("DELETE FROM node.jobs WHERE tenant_role = ANY(%s)", (roles,))
