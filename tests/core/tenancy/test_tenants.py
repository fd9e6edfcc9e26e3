"""Tenants are made whole or not at all, found by their slug, and rejected while suspended."""

import psycopg
import pytest
from sqlalchemy import text

from core.database import owner_session, tenant_session
from core.errors import Conflict, Forbidden, Invalid, NotFound
from core.identity.keys import verify_key
from core.tenancy import (
    create_tenant,
    describe_tenant,
    get_tenant,
    list_tenants,
    provisioning,
    resume_tenant,
    service,
    suspend_tenant,
    tenant_of_role,
)


@pytest.fixture
def next_schema(monkeypatch):
    """The name that the next tenant's schema will have."""
    name = provisioning.new_schema_name()
    monkeypatch.setattr(service, "new_schema_name", lambda: name)
    return name


def traces(slug, schema):
    """How many tenants, schemas, roles and rows of this slug or schema there are."""
    with owner_session() as session:
        return [
            session.scalar(text(f"SELECT count(*) FROM {table}"), {"slug": slug, "schema": schema})  # noqa: S608 - below
            for table in (
                "platform.tenants WHERE slug = :slug",
                "platform.api_keys k JOIN platform.tenants t ON t.id = k.tenant_id WHERE t.slug = :slug",
                "pg_namespace WHERE nspname = :schema",
                "pg_roles WHERE rolname = :schema",
                "node.tenant_schemas WHERE schema_name = :schema",
            )
        ]


def test_a_new_tenant_is_found_by_its_slug_and_by_its_role(tenant):
    assert get_tenant(tenant.slug) == tenant
    assert tenant_of_role(tenant.role_name) == tenant
    assert tenant in list_tenants()
    assert tenant.state == "active"


def test_names_of_schemas_and_roles_tell_nothing_of_the_partner(make_tenant):
    new_tenant = make_tenant("hope-clinics", "Hope Clinics").ref
    assert new_tenant.schema_name == new_tenant.role_name
    assert "hope" not in new_tenant.schema_name
    assert new_tenant.id.hex not in new_tenant.schema_name


def test_a_password_that_a_tenants_role_gives_itself_was_never_valid(tenant):
    with owner_session() as session:
        query = text("SELECT rolvaliduntil = '-infinity' FROM pg_roles WHERE rolname = :role")
        assert session.scalar(query, {"role": tenant.role_name})


def test_a_new_tenant_has_keys_and_an_api_key_of_its_own(make_tenant):
    new_tenant = make_tenant()
    assert verify_key(new_tenant.api_key).tenant == new_tenant.ref
    assert new_tenant.api_key not in repr(new_tenant)
    with tenant_session(new_tenant.ref, actor="test:1") as session:
        assert session.scalar(text("SELECT count(*) FROM tenant_keys")) == 3


def test_a_taken_slug_is_rejected_and_leaves_nothing(tenant, next_schema):
    with pytest.raises(Conflict, match=tenant.slug):
        create_tenant(tenant.slug, "Another")
    assert traces(tenant.slug, next_schema) == [1, 1, 0, 0, 0]


@pytest.mark.parametrize("broken", ["script", "issue", "create_tenant_keys"])
def test_provisioning_that_fails_at_any_step_leaves_nothing(database, next_schema, monkeypatch, broken):
    slug = f"broken-at-{broken.replace('_', '-')}"
    with monkeypatch.context() as patch:
        if broken == "script":
            patch.setattr(provisioning, "script", lambda: "CREATE TABLE one (a int); SELECT 1/0;")
        else:

            def fail(*_args, **_options):
                raise ZeroDivisionError

            patch.setattr(service, broken, fail)
        with pytest.raises((ZeroDivisionError, psycopg.errors.DivisionByZero)):
            create_tenant(slug, "Broken")
    assert traces(slug, next_schema) == [0] * 5
    create_tenant(slug, "Whole")
    assert traces(slug, next_schema) == [1] * 5


@pytest.mark.parametrize("slug", ["", "A", "1a", "a_b", "a--b", "-a", "a-", "a b", "ü", "a" * 41, "a;drop", "a\n"])
def test_a_slug_that_is_none_is_rejected_by_name(database, slug):
    with pytest.raises(Invalid) as error:
        create_tenant(slug, "Name")
    assert [field.field for field in error.value.errors] == ["slug"]
    assert "lower-case" in error.value.errors[0].remedy


def test_every_fault_of_a_new_tenant_is_named_at_once(database):
    with pytest.raises(Invalid) as error:
        create_tenant("No", " ", time_zone="Lagos")
    assert [field.field for field in error.value.errors] == ["slug", "name", "time_zone"]


def test_an_unknown_tenant_is_not_found(database):
    with pytest.raises(NotFound, match="nobody-here") as error:
        get_tenant("nobody-here")
    assert error.value.status == 404


def test_a_suspended_tenant_is_forbidden_until_it_is_resumed(tenant):
    assert suspend_tenant(tenant.slug).state == "suspended"
    with pytest.raises(Forbidden, match="suspended") as error:
        get_tenant(tenant.slug)
    assert error.value.status == 403
    assert describe_tenant(tenant.slug).state == "suspended"
    resume_tenant(tenant.slug)
    assert get_tenant(tenant.slug) == tenant


@pytest.mark.parametrize("act", [suspend_tenant, resume_tenant])
def test_a_tenant_that_is_not_there_can_be_neither_suspended_nor_resumed(database, act):
    with pytest.raises(NotFound):
        act("nobody-here")


@pytest.mark.parametrize("name", ["public", "t_x", 't_00000000000000000000"; DROP SCHEMA node; --', "node"])
def test_only_opaque_names_are_provisioned(database, name):
    with owner_session() as session:
        connection = session.connection().connection.driver_connection
        with pytest.raises(ValueError, match="not a tenant's schema"):
            provisioning.provision(connection, "00000000-0000-0000-0000-000000000000", name)
