"""People of a tenant with a password, and sign-ins of theirs."""

from uuid import uuid4

import pytest

from core.identity.people import links, members
from core.identity.people.sign_in import sign_in

PASSWORD = "seven green bicycles in the rain"


@pytest.fixture
def add_person(tenant):
    """Adds a person with a password: ``add_person("viewer")`` gives id and address."""

    def add(*roles, of=None, email=None, **scope):
        email = email or f"person-{uuid4().hex[:10]}@example.org"
        person_id = members.add_member(
            of or tenant, email, "Person", members.Grant(roles or ("viewer",), **scope), actor="test:1"
        )
        link = links.create_link(person_id, links.INVITATION, actor="test:1", tenant_id=(of or tenant).id)
        links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
        return person_id, email

    return add


@pytest.fixture
def begin():
    """Signs in: ``begin(email)`` gives a new session."""

    def start(email, password=PASSWORD, address="192.0.2.1"):
        return sign_in(email, password, address=address, device="test")

    return start
