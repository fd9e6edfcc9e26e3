"""People of a tenant with a password, and sign-ins of theirs."""

from uuid import uuid4

import pyotp
import pytest

from core.clock import now
from core.identity.people import factor_codes, links, members, second_factor
from core.identity.people.second_factor import Proof
from core.identity.people.sign_in import sign_in
from tests.core.mail.server import installed

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


@pytest.fixture
def box(monkeypatch):
    """A mail server that the installation uses."""
    with installed(monkeypatch) as server:
        yield server


class Phone:
    """The authenticator app of a person: ``phone.code()`` gives the next unused code."""

    def __init__(self, secret, recovery_codes):
        self.secret = secret
        self.recovery_codes = recovery_codes
        self._step = int(now().timestamp()) // factor_codes.STEP_SECONDS

    def code(self, steps=1):
        self._step += steps
        return pyotp.TOTP(self.secret).generate_otp(self._step)


@pytest.fixture
def set_up(begin):
    """Sets up the second factor of a person with a password: ``set_up(person_id, email)`` gives the phone."""

    def act(person_id, email):
        started = begin(email)
        second_factor.begin_set_up(person_id, Proof(PASSWORD, "", "192.0.2.1"))
        secret = second_factor.set_up_of(person_id).secret
        step = int(now().timestamp()) // factor_codes.STEP_SECONDS
        code = pyotp.TOTP(secret).generate_otp(step)
        _, recovery_codes = second_factor.confirm(person_id, code, started.id, "test")
        return Phone(secret, recovery_codes)

    return act
