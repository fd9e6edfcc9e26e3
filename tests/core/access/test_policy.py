"""Casbin states the policy, compiled sets decide: both agree, on any roles of any tenants."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.access.policy import enforcer_of
from core.identity import all_permissions
from core.identity.roles import ROLES, permissions_for
from core.identity.tenant_roles.compiled import RoleRules, compile_roles
from core.identity.tenant_roles.service import INCLUDABLE

PERMISSIONS = sorted(all_permissions())
TENANTS = ("north", "south")
NAMES = ("lead", "mentor", "clerk")
RARE = ["audit.read", "keys.write", "people.write", "settings.write"]
"""Permissions of the admin alone: only an own role gives them to anybody else, so a mix-up of roles shows."""
BUILT_IN = sorted(name for name in ROLES if not ROLES[name].operator)

own_roles = st.lists(st.sampled_from(NAMES), unique=True).flatmap(
    lambda names: st.tuples(
        *(
            st.builds(
                RoleRules,
                st.just(name),
                st.lists(st.sampled_from(INCLUDABLE), max_size=2, unique=True).map(tuple),
                st.lists(st.sampled_from([*RARE, "jobs.read", "gone.permission"]), max_size=4, unique=True).map(tuple),
            )
            for name in names
        )
    )
)
held_roles = st.lists(st.sampled_from([*BUILT_IN, *NAMES]), max_size=3, unique=True)


def compiled_answer(own, roles):
    compiled = compile_roles(own)
    return permissions_for(roles).union(*(compiled.get(name, frozenset()) for name in roles))


@settings(max_examples=25)
@given(
    roles=st.fixed_dictionaries(dict.fromkeys(TENANTS, own_roles)),
    memberships=st.fixed_dictionaries(dict.fromkeys(TENANTS, held_roles)),
    asked=st.lists(st.sampled_from(PERMISSIONS), max_size=4, unique=True),
)
def test_the_enforcer_and_the_compiled_sets_agree(roles, memberships, asked):
    members = [("person", role, tenant) for tenant in TENANTS for role in memberships[tenant]]
    enforcer = enforcer_of(roles, members)
    for tenant in TENANTS:
        allowed = compiled_answer(roles[tenant], memberships[tenant])
        for permission in (*RARE, *asked):
            assert enforcer.enforce("person", tenant, permission) == (permission in allowed), (tenant, permission)


def test_a_role_of_one_tenant_says_nothing_in_another():
    roles = {"north": [RoleRules("lead", ("viewer",), ("keys.write",))], "south": []}
    enforcer = enforcer_of(roles, [("person", "lead", "north"), ("person", "lead", "south")])
    assert enforcer.enforce("person", "north", "keys.write")
    assert enforcer.enforce("person", "north", "cohort.read")
    assert not enforcer.enforce("person", "south", "keys.write")
    assert not enforcer.enforce("person", "south", "cohort.read")


@pytest.mark.parametrize("role", sorted(name for name in ROLES if ROLES[name].operator))
def test_an_operators_role_permits_nothing_in_a_tenant(role):
    enforcer = enforcer_of({"north": []}, [("person", role, "north")])
    assert not any(enforcer.enforce("person", "north", permission) for permission in PERMISSIONS)
