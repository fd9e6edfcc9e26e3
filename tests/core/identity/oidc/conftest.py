"""A tenant whose people sign in by a faulty issuer."""

from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from core.identity.oidc import discovery, domains, providers
from core.identity.oidc.author import Author
from core.identity.oidc.flows import ProviderAnswer, begin_flow, complete_flow
from core.identity.oidc.providers import Draft
from tests.core.identity.oidc.issuer import CLIENT, SECRET, Issuer

AUTHOR = Author("test:1")
REDIRECT = "http://testserver/sign-in/sso/callback"


class Records:
    """What a domain's name servers answer."""

    def __init__(self):
        self.texts = {}

    def txt_records(self, domain):
        return self.texts.get(domain, [])


@pytest.fixture
def tenant(module_tenant):
    """One tenant for a file: each test sets up its single sign-on, and proves a domain of its own."""
    return module_tenant


@pytest.fixture
def audited(tenant, open_session):
    """The details of the tenant's audit events of an action, since the test began."""

    def read(action=None):
        with open_session(tenant) as session:
            rows = session.cursor().execute(
                "SELECT event_id, detail FROM audit_events WHERE event_id > %s AND (%s::text IS NULL OR action = %s)"
                " ORDER BY event_id",
                (start, action, action),
            )
            return rows.fetchall()

    start = 0
    start = max((event for event, _ in read()), default=0)
    return lambda action: [detail for _, detail in read(action)]


@pytest.fixture(scope="session")
def _issuer():
    issuer = Issuer()
    yield issuer
    issuer.close()


@pytest.fixture
def issuer(_issuer, monkeypatch):
    """A decent provider, until the test changes what it answers."""
    monkeypatch.setattr(discovery, "REFRESH_SECONDS", 0.0)
    _issuer.reset()
    discovery.forget(_issuer.url)
    yield _issuer
    discovery.forget(_issuer.url)


@pytest.fixture
def records(monkeypatch):
    """The TXT records that domains have: ``records.texts["example.org"] = [...]``."""
    answers = Records()
    monkeypatch.setattr(domains, "prover", answers)
    return answers


@pytest.fixture
def prove(records):
    """Claims and proves a domain: ``prove(tenant)`` gives its name."""

    def claim(tenant, name=None):
        name = name or f"d{uuid4().hex[:12]}.example.org"
        domain = domains.claim_domain(tenant, name, AUTHOR)
        records.texts[name] = [domain.record]
        assert domains.check_domain(tenant, domain.id, AUTHOR).proved_at is not None
        return name

    return claim


@pytest.fixture
def set_up(issuer):
    """Sets up single sign-on: ``set_up(tenant, default_role="viewer")``."""

    def put(tenant, **changed):
        fields = {
            "issuer": issuer.url,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "roles_claim": "groups",
            "role_mapping": {},
            "default_role": "viewer",
            "enforced": False,
            "break_glass_person_id": None,
            **changed,
        }
        return providers.put_provider(tenant, Draft(**fields), AUTHOR)

    return put


@pytest.fixture
def domain(tenant, prove, set_up):
    """A proved domain of ``tenant``, whose people sign in by ``issuer``."""
    set_up(tenant)
    return prove(tenant)


class Flow:
    """A sign-in under way: what the browser has, and what the issuer was asked."""

    def __init__(self, provider):
        begun = begin_flow(provider, redirect_uri=REDIRECT, following="/today")
        self.secret = begun.secret
        self.address = begun.address
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(begun.address).query).items()}

    @property
    def nonce(self):
        return self.asked["nonce"]

    def complete(self, **changed):
        answer = {"state": self.asked["state"], "code": "a code", **changed}
        secret = answer.pop("secret", self.secret)
        return complete_flow(ProviderAnswer(**answer), secret, device="test")


@pytest.fixture
def begin(tenant):
    """Begins a sign-in: ``begin()`` at the provider of ``tenant``."""

    def start(of=None):
        return Flow(providers.get_provider(of or tenant))

    return start


@pytest.fixture
def sign_in(issuer, begin):
    """Signs in with a decent token: ``sign_in(email=…)`` gives the session."""

    def start(of=None, **claims):
        flow = begin(of)
        issuer.id_token = issuer.signed(issuer.claims(flow.nonce, **{"email_verified": True, **claims}))
        return flow.complete().session

    return start
