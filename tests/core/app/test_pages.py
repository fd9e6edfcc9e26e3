"""Pages of features: who may open them, how their errors look, which headers they carry, whose forms they take."""

import gzip
import re
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi import APIRouter

from core.access.pages import checked_form
from core.access.require import page_routes, reject_open_routes
from core.app.factory import create_app
from core.app.pages import WRITES
from core.feature import feature
from core.feature_registry import NavigationEntry
from core.identity import CredentialOwner, Principal, credentials, csrf
from core.identity.credentials import credential_kinds
from core.web.uploads import UploadRequest
from tests.core.app import sample_pages
from tests.core.app.sample_pages import SAMPLE, Sessions

OWN_ORIGIN = {"Origin": "http://testserver"}


@pytest.fixture
def sessions(monkeypatch, owner):
    sessions = Sessions()
    kinds = (*credential_kinds(), sessions)
    monkeypatch.setattr(credentials, "credential_kinds", lambda: kinds)
    for name, rights in (("session-reader", {"audit.read"}), ("session-idle", set())):
        person = Principal("person", name, owner.ref.id, frozenset(rights), credential="session", credential_id=name)
        sessions.known[name] = CredentialOwner(person, owner.ref)
    return sessions


@pytest.fixture(scope="module")
def sample_app(database):
    return create_app([feature, SAMPLE])


@pytest.fixture
def app(sessions, sample_app):
    return sample_app


@pytest.fixture
def browser(app, client_for):
    client = client_for(app, None)
    client.follow_redirects = False
    return client


@pytest.fixture
def reader(browser):
    browser.cookies.set("iit_session", "session-reader")
    return browser


def token_on(page):
    return re.search(r'name="csrf_token" value="([^"]*)"', page.text)[1]


def test_a_page_shows_its_values_escaped_and_the_navigation_of_the_principal(reader, owner):
    assert owner.ref.slug in reader.get("/sample").text
    page = reader.get("/sample", params={"title": "<script>"})
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<title>&lt;script&gt;</title>" in page.text
    assert '<a href="/sample">Sample</a>' in page.text
    assert "/sample/keys" not in page.text


def test_pages_are_in_no_openapi_document(app):
    assert not [path for path in app.openapi()["paths"] if "sample" in path and not path.startswith("/v1")]


@pytest.mark.parametrize("path", ["/sample", "/sample/missing", "/sample/broken", "/sign-in", "/sample/keys"])
def test_every_page_and_every_error_of_one_has_the_headers_of_pages(reader, path):
    answer = reader.get(path)
    policy = answer.headers["content-security-policy"]
    assert policy == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert len(answer.headers.get_list("content-security-policy")) == 1


@pytest.mark.parametrize(
    ("path", "following"),
    [
        ("/sample", "/sample"),
        ("/sample?title=a%26b&x=1", "/sample?title=a%26b&x=1"),
    ],
)
def test_who_is_not_signed_in_is_sent_to_the_sign_in_with_the_way_back(browser, path, following):
    answer = browser.get(path)
    assert answer.status_code == 303
    address = answer.headers["location"]
    assert address.startswith("/sign-in?next=%2F")
    assert parse_qs(urlsplit(address).query)["next"] == [following]


def test_who_posts_without_a_session_is_sent_to_the_sign_in(browser):
    answer = browser.post("/sample", data={"note": "x"}, headers=OWN_ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


@pytest.mark.parametrize(
    ("page", "address"),
    [
        ("http://testserver/sample?page=2", "/sign-in?next=%2Fsample%3Fpage%3D2"),
        ("http://testserver//elsewhere.example", "/sign-in"),
        ("", "/sign-in"),
    ],
)
def test_a_part_of_a_page_without_a_session_leads_the_whole_page_to_the_sign_in(browser, page, address):
    asked = {**OWN_ORIGIN, "HX-Request": "true", "HX-Current-URL": page}
    answer = browser.post("/sample", data={"note": "x"}, headers=asked)
    assert (answer.status_code, answer.text, answer.headers["hx-redirect"]) == (204, "", address)


def test_an_error_of_a_part_of_a_page_takes_the_place_of_the_whole_main_part(reader):
    whole, part = (reader.get("/sample/missing", headers=more) for more in ({}, {"HX-Request": "true"}))
    assert (part.status_code, part.headers["hx-retarget"], part.headers["hx-reselect"]) == (404, "#main", "#main")
    assert 'id="main"' in part.text
    assert "hx-retarget" not in whole.headers


def test_an_api_key_opens_no_page(browser, owner):
    assert browser.get("/sample", headers={"X-API-Key": owner.api_key}).status_code == 303


def test_an_ended_session_is_sent_to_the_sign_in(reader, sessions):
    del sessions.known["session-reader"]
    assert reader.get("/sample").status_code == 303


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/sample/missing", 404, "there is no &lt;such&gt; person"),
        ("/sample/broken", 500, "Something went wrong on our side"),
        ("/sample/keys", 403, "ou need this permission: See the partner&#39;s API keys, without their secrets"),
        ("/sample/number/x", 422, "number: "),
    ],
)
def test_errors_are_pages_that_say_what_happened_what_to_do_and_the_request_id(reader, path, status, words):
    answer = reader.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert words in answer.text
    assert answer.headers["x-request-id"] in answer.text
    assert "Givenname" not in answer.text
    assert "/docs" not in answer.text
    assert "keys.read" not in answer.text


def test_an_unknown_method_of_a_page_is_a_page(reader):
    answer = reader.delete("/sample/number/3")
    assert answer.status_code == 405
    assert "text/html" in answer.headers["content-type"]


class TestForms:
    def test_a_form_with_the_token_of_the_session_passes(self, reader):
        token = token_on(reader.get("/sample"))
        assert token != token_on(reader.get("/sample"))
        answer = reader.post("/sample", data={"note": "seen", "csrf_token": token}, headers=OWN_ORIGIN)
        assert (answer.status_code, answer.text) == (200, "seen")
        assert reader.post("/sample/plain", data={"csrf_token": token}, headers=OWN_ORIGIN).text == "done"
        assert reader.post("/sample/plain", headers={**OWN_ORIGIN, "X-CSRF-Token": token}).text == "done"

    # Named: a token is random, and workers must collect the same tests.
    @pytest.mark.parametrize(
        "token",
        ["", "x", csrf.token_of("session-idle"), "A" * 86 + "=="],
        ids=["empty", "short", "of another session", "forged"],
    )
    def test_another_token_is_rejected(self, reader, token):
        answer = reader.post("/sample", data={"note": "x", "csrf_token": token}, headers=OWN_ORIGIN)
        assert answer.status_code == 403
        assert "no valid token" in answer.text

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Origin": "null"},
            {"Origin": "http://elsewhere.example"},
            {"Origin": "https://testserver"},
            {"Sec-Fetch-Site": "same-site"},
            {"Referer": "http://elsewhere.example/testserver"},
        ],
    )
    @pytest.mark.parametrize("path", ["/sample", "/sign-in"])
    def test_a_form_of_another_site_is_rejected_whatever_its_token(self, reader, path, headers):
        form = {"note": "x", "name": "x", "csrf_token": csrf.token_of("session-reader")}
        assert reader.post(path, data=form, headers=headers).status_code == 403

    @pytest.mark.parametrize(
        "headers", [OWN_ORIGIN, {"Sec-Fetch-Site": "same-origin"}, {"Referer": "http://testserver/sign-in"}]
    )
    def test_a_public_form_needs_no_session(self, browser, headers):
        assert browser.post("/sign-in", data={"name": "x"}, headers=headers).text == "x"

    def test_files_are_taken_with_the_token_in_the_address(self, reader):
        token = token_on(reader.get("/sample"))
        answer = reader.post(
            "/sample/files", params={"csrf_token": token}, files={"file": ("a.csv", b"1")}, headers=OWN_ORIGIN
        )
        assert (answer.status_code, answer.text) == (200, "a.csv")

    @pytest.mark.parametrize("headers", [OWN_ORIGIN, {"Origin": "http://elsewhere.example"}])
    def test_nothing_of_a_forged_upload_is_read(self, reader, monkeypatch, headers):
        token = token_on(reader.get("/sample"))
        params = {} if headers is OWN_ORIGIN else {"csrf_token": token}
        read = []
        monkeypatch.setattr(UploadRequest, "form", lambda *_, **__: read.append("form"))
        files = {"csrf_token": (None, token), "file": ("a.csv", b"1")}
        assert reader.post("/sample/files", params=params, files=files, headers=headers).status_code == 403
        assert read == []

    def test_an_upload_is_as_large_as_its_page_takes(self, reader):
        params = {"csrf_token": token_on(reader.get("/sample"))}
        answer = reader.post("/sample/files", params=params, files={"file": ("a.csv", b"1" * 3000)}, headers=OWN_ORIGIN)
        assert answer.status_code == 413
        assert "text/html" in answer.headers["content-type"]

    def test_every_write_of_every_page_is_checked(self, app, application):
        writes = [
            route
            for application_ in (app, application)
            for route in page_routes(application_)
            if WRITES & set(route.methods or ())
        ]
        assert len(writes) >= 3
        for route in writes:
            assert checked_form in [child.call for child in route.dependant.dependencies], route.path
        reads = [route for route in page_routes(app) if not WRITES & set(route.methods or ())]
        assert not [r.path for r in reads if checked_form in [child.call for child in r.dependant.dependencies]]


class TestAssets:
    def test_a_file_has_an_address_of_its_content_and_never_changes(self, reader):
        address = re.search(r'href="(/assets/sample/[0-9a-f]{20}/style.css)"', reader.get("/sample").text)[1]
        answer = reader.get(address, headers={"Accept-Encoding": "gzip"})
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"] == "text/css; charset=utf-8"
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert int(answer.headers["content-length"]) < len(answer.text)
        plain = reader.get(address, headers={"Accept-Encoding": "gzip;q=0, identity"})
        assert "content-encoding" not in plain.headers
        assert plain.text == answer.text

    def test_a_file_that_is_not_there_is_404(self, reader):
        for path in ("/assets/sample/0000/style.css", "/assets/sample/../../conftest.py", "/assets/"):
            assert reader.get(path).status_code == 404

    def test_a_cdn_is_before_every_path_and_in_the_policy(self, sessions, client_for, settings_of):
        settings_of(asset_url="https://cdn.example/iit/")
        client = client_for(create_app([feature, SAMPLE]), None)
        page = client.get("/sign-in")
        assert 'href="https://cdn.example/iit/assets/sample/' in page.text
        policy = page.headers["content-security-policy"]
        assert "script-src 'self' https://cdn.example;" in policy
        assert "connect-src 'self';" in policy

    def test_the_address_follows_the_content_and_its_name(self, tmp_path):
        from core.web.assets import Assets

        def address():
            return Assets({"a": tmp_path}).address("a/x.js")

        (tmp_path / "x.js").write_text("import './y.js'\n" * 20)
        before = address()
        (tmp_path / "y.js").write_text("1")
        after = address()
        assert before != after == address()
        stored = Assets({"a": tmp_path}).read(after.removeprefix("/assets/"))
        assert gzip.decompress(stored.compressed) == stored.content

    def test_an_unknown_asset_breaks_the_template(self, app):
        with pytest.raises(LookupError, match=r"no feature has the asset 'sample/none\.css'"):
            app.state.site.assets.address("sample/none.css")


class TestMounting:
    def test_a_page_that_names_no_permission_is_rejected(self, monkeypatch):
        bare = APIRouter()
        bare.add_api_route("/bare", lambda: None)
        monkeypatch.setattr(sample_pages, "pages", bare)
        with pytest.raises(LookupError, match=r"do not declare who may call them: \['GET'\] /bare"):
            create_app([feature, replace(SAMPLE, navigation=())])

    @pytest.mark.parametrize("path", ["/v1/page", "/assets", "/docs/mine", "/health/ready"])
    def test_a_page_where_the_kernel_answers_is_rejected(self, monkeypatch, path):
        router = APIRouter()
        router.add_api_route(path, lambda: None)
        monkeypatch.setattr(sample_pages, "pages", router)
        with pytest.raises(LookupError, match="where the kernel answers"):
            create_app([feature, replace(SAMPLE, navigation=())])

    @pytest.mark.parametrize(
        "entry",
        [
            NavigationEntry("Nowhere", "/nowhere"),
            NavigationEntry("Public", "/sign-in"),
        ],
    )
    def test_an_entry_that_leads_to_no_such_page_is_rejected(self, entry):
        with pytest.raises(LookupError, match="the navigation names"):
            create_app([feature, replace(SAMPLE, navigation=(entry,))])

    def test_two_sign_ins_and_two_owners_of_a_prefix_are_rejected(self):
        with pytest.raises(LookupError, match="several features have a page to sign in"):
            create_app([feature, SAMPLE, replace(SAMPLE, name="other", pages=(), templates={}, assets={})])
        with pytest.raises(LookupError, match="the prefix 'sample'"):
            create_app([feature, SAMPLE, replace(SAMPLE, name="other", assets={})])

    def test_the_installed_application_declares_every_page(self, application):
        reject_open_routes(application)


def test_an_unknown_name_in_a_template_is_an_error(app):
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError, match="nobody_gave_this"):
        app.state.site.templates.render("sample/unknown_name.html", {})


class TestCookiesOfTheApi:
    def test_a_cookie_counts_only_with_the_token_of_its_session(self, reader):
        token = csrf.token_of("session-reader")
        assert reader.get("/v1/sample-of-api", headers={"X-CSRF-Token": token}).json() == "person:session-reader"
        for other in ({}, {"X-CSRF-Token": csrf.token_of("session-idle")}, {"X-CSRF-Token": "x"}):
            answer = reader.get("/v1/sample-of-api", headers=other)
            assert answer.status_code == 403
            assert "X-CSRF-Token" in answer.json()["detail"]

    def test_a_key_needs_no_token_whatever_cookie_comes_with_it(self, reader, owner):
        answer = reader.get("/v1/sample-of-api", headers={"X-API-Key": owner.api_key})
        assert answer.json().startswith("api_key:")

    def test_the_document_names_the_cookie_and_the_token_together(self, app):
        document = app.openapi()
        assert document["components"]["securitySchemes"]["session_cookie"]["in"] == "cookie"
        assert {"session_cookie": [], "csrf_token": []} in document["paths"]["/v1/me"]["get"]["security"]
