"""Which credential of a request counts, and which kind it is of."""

import pytest
from starlette.responses import Response

from core.errors import Unauthenticated
from core.feature_registry import Feature
from core.identity import Principal, credentials
from core.identity.cookies import clear_credential, set_credential
from core.identity.credentials import confirm, cookie, credential_kinds, credential_of

KEY = f"iit_{'0' * 12}_{'0' * 64}"
OTHER_KEY = f"iit_{'1' * 12}_{'1' * 64}"


class Kind:
    """Credentials that begin with the kind's name."""

    def __init__(self, name, *places):
        self.name = name
        self.places = frozenset(places)
        self.confirmed = []

    def recognizes(self, credential):
        return credential.startswith(self.name)

    def confirm(self, principal):
        self.confirmed.append(principal)


SESSION = Kind("session", cookie("iit_session"))
TOKEN = Kind("token", credentials.BEARER)


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
    kinds = (*credential_kinds(), SESSION, TOKEN)
    monkeypatch.setattr(credentials, "credential_kinds", lambda: kinds)


def chosen(**headers):
    credential = credential_of([(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()])
    return credential.kind.name, credential.secret


def test_each_kind_recognises_its_own():
    assert chosen(authorization=f"Bearer {KEY}") == ("api_key", KEY)
    assert chosen(x_api_key=KEY) == ("api_key", KEY)
    assert chosen(authorization="bearer token-1") == ("token", "token-1")
    assert chosen(cookie="theme=dark; iit_session=session-1") == ("session", "session-1")


def test_a_cookie_never_replaces_a_credential_that_the_client_chose():
    assert chosen(cookie="iit_session=session-1", x_api_key=KEY) == ("api_key", KEY)
    assert chosen(x_api_key=KEY, authorization=f"Bearer {OTHER_KEY}") == ("api_key", OTHER_KEY)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer nonsense", "x_api_key": KEY},
        {"authorization": "Bearer nonsense", "cookie": "iit_session=session-1"},
        {"x_api_key": "token-1"},
        {"cookie": "iit_session=nonsense"},
    ],
)
def test_a_credential_of_no_kind_is_rejected_whatever_stands_beside_it(headers):
    with pytest.raises(Unauthenticated, match="not valid"):
        chosen(**headers)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic dXNlcjpwYXNz"}, {"cookie": "theme=dark; bad"}])
def test_a_request_without_a_credential_is_rejected(headers):
    with pytest.raises(Unauthenticated, match="no credential"):
        chosen(**headers)


def test_the_secret_is_in_no_text_of_the_credential():
    assert KEY not in repr(credential_of([(b"x-api-key", KEY.encode())]))


def test_the_kind_that_identified_the_principal_confirms_it():
    person = Principal("person", "p1", None, credential="session", credential_id="s1")
    confirm(person)
    assert SESSION.confirmed == [person]


def test_two_kinds_of_one_name_are_rejected(monkeypatch):
    twin = Feature("twin", credentials=("core.identity.keys:KIND", "core.identity.keys:KIND"))
    monkeypatch.setattr("core.feature_registry.features", lambda: (twin,))
    with pytest.raises(RuntimeError, match="kind of credentials 'api_key' is declared twice"):
        credential_kinds.__wrapped__()


def test_over_https_a_cookie_that_is_not_bound_to_the_host_does_not_count():
    bound, free = [(b"cookie", b"__Host-iit_session=session-1")], [(b"cookie", b"iit_session=session-1")]
    assert credential_of(bound, secure=True).secret == "session-1"
    assert credential_of(free, secure=False).secret == "session-1"
    for headers, secure in ((free, True), (bound, False)):
        with pytest.raises(Unauthenticated, match="no credential"):
            credential_of(headers, secure=secure)


@pytest.mark.parametrize(
    ("scheme", "beginning"), [("https", "__Host-iit_session=s; HttpOnly"), ("http", "iit_session=s; HttpOnly")]
)
def test_the_browser_gets_a_cookie_that_no_script_reads(scheme, beginning):
    response = Response()
    set_credential(response, {"scheme": scheme}, "iit_session", "s", seconds=60)
    sent = response.headers["set-cookie"]
    assert sent.startswith(beginning)
    assert ("Secure" in sent) == (scheme == "https")
    assert "SameSite=lax" in sent
    assert "Path=/" in sent
    assert "Domain" not in sent
    clear_credential(response, {"scheme": scheme}, "iit_session")
    assert "Max-Age=0" in response.headers.getlist("set-cookie")[1]
