"""Where a sign-in may send its person afterwards: to this server alone."""

from urllib.parse import parse_qs, urlsplit

import pytest

from core.web.pages import page_headers, safe_next, sign_in_address


@pytest.mark.parametrize("text", ["/", "/today", "/today?facility=a&day=2026-01-01", "/patients/1#visits", "/a//b"])
def test_a_path_of_this_server_is_safe(text):
    assert safe_next(text) == text


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "today",
        "//elsewhere.example",
        "///elsewhere.example",
        "/\\elsewhere.example",
        "\\\\elsewhere.example",
        "https://elsewhere.example/",
        "javascript:alert(1)",
        "/\t/elsewhere.example",
        "/\n/elsewhere.example",
        " //elsewhere.example",
        "/a\\..\\..\\elsewhere.example",
        "/" + "a" * 2000,
    ],
)
def test_any_other_address_gives_way(text):
    assert safe_next(text) == "/"
    assert safe_next(text, "/today") == "/today"


def test_the_way_back_survives_as_it_was_asked_for():
    scope = {"method": "GET", "path": "/patients/á b", "query_string": b"name=x%26y&next=/z"}
    address = sign_in_address("/sign-in", scope)
    assert parse_qs(urlsplit(address).query) == {"next": ["/patients/%C3%A1%20b?name=x%26y&next=/z"]}


@pytest.mark.parametrize(("method", "path"), [("POST", "/today"), ("GET", "//elsewhere.example"), ("DELETE", "/x")])
def test_there_is_no_way_back_to_a_form_or_to_another_server(method, path):
    assert sign_in_address("/sign-in", {"method": method, "path": path, "query_string": b""}) == "/sign-in"


def test_a_cdn_gets_scripts_and_styles_and_never_forms_or_connections():
    policy = dict(page_headers("https://cdn.example"))[b"content-security-policy"].decode()
    allowed = [part.split()[0] for part in policy.split("; ") if "cdn.example" in part]
    assert allowed == ["script-src", "style-src", "img-src", "font-src"]
    assert "unsafe" not in policy
