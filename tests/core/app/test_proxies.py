"""Who the client is behind proxies, and that nobody else can say so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse

from core.app.proxies import TrustedProxies, networks_of
from core.errors import Invalid
from tests.core.app.wire import connect, head, rest, served


async def mirror(scope, receive, send):
    """Answers with what an application sees of the client."""
    if scope["type"] == "http":
        request = Request(scope)
        forwarded = [name for name in request.headers if "forwarded" in name or name == "x-real-ip"]
        seen = {"client": request.client.host, "url": str(request.base_url), "headers": forwarded}
        await JSONResponse(seen)(scope, receive, send)


def seen(proxies, peer="10.0.0.5", **headers):
    """Client, scheme and host after the headers of a connection from ``peer``."""
    scope = {
        "type": "http",
        "client": (peer, 4711),
        "scheme": "http",
        "headers": [
            (b"host", b"inside"),
            *((name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()),
        ],
    }
    TrustedProxies(mirror, networks_of(proxies))._rewrite(scope)
    assert not [name for name, _ in scope["headers"] if b"forwarded" in name or name == b"x-real-ip"]
    return scope["client"][0], scope["scheme"], dict(scope["headers"])[b"host"].decode()


ALL = {"x_forwarded_for": "203.0.113.7", "x_forwarded_proto": "https", "x_forwarded_host": "iit.example.org"}
OTHERS = {"forwarded": "for=203.0.113.7;proto=https;host=evil.example", "x_real_ip": "203.0.113.7"}


def test_a_trusted_proxy_says_who_the_client_is_and_what_it_asked_for():
    for proxies in ("10.0.0.5", "192.0.2.1, 10.0.0.0/24", "::1,10.0.0.5"):
        assert seen(proxies, **ALL) == ("203.0.113.7", "https", "iit.example.org")
    assert seen("10.0.0.5", "::ffff:10.0.0.5", **ALL)[0] == "203.0.113.7"


@pytest.mark.parametrize("proxies", ["", "10.0.0.6", "10.1.0.0/16"])
def test_nobody_else_can_say_so(proxies):
    assert seen(proxies, **ALL, **OTHERS) == ("10.0.0.5", "http", "inside")


def test_other_headers_of_proxies_never_count():
    assert seen("10.0.0.5", **OTHERS) == ("10.0.0.5", "http", "inside")


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ("198.51.100.1, 203.0.113.7", "203.0.113.7"),  # the client wrote the first
        ("198.51.100.1, 203.0.113.7, 10.0.0.9", "203.0.113.7"),  # two proxies, one behind the other
        ("203.0.113.7:5432", "203.0.113.7"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("203.0.113.7, nonsense", "10.0.0.5"),
        ("nonsense, 10.0.0.9", "10.0.0.9"),
        ("10.0.0.8, 10.0.0.9", "10.0.0.8"),
        ("", "10.0.0.5"),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy(chain, client):
    assert seen("10.0.0.0/24", x_forwarded_for=chain)[0] == client


@pytest.mark.parametrize("scheme", ["javascript", "ftp", "", "https evil"])
def test_a_scheme_is_http_or_https(scheme):
    assert seen("10.0.0.5", x_forwarded_proto=scheme)[1] == "http"


@pytest.mark.parametrize("host", ["evil.example/path", "a b", "user@evil.example", "", "a\r\nb", "é.example", "-a"])
def test_a_host_has_the_form_of_one(host):
    assert seen("10.0.0.5", x_forwarded_host=host)[2] == "inside"


@given(st.dictionaries(st.sampled_from(list(ALL) + list(OTHERS)), st.text(st.characters(codec="latin-1"))))
def test_no_header_of_a_peer_that_is_not_trusted_changes_anything(headers):
    assert seen("10.0.0.6", **headers) == ("10.0.0.5", "http", "inside")


@pytest.mark.parametrize("proxies", ["*", "localhost", "10.0.0.0/33", "10.0.0.5;10.0.0.6"])
def test_a_setting_that_names_no_address_is_rejected(proxies):
    with pytest.raises(Invalid, match="IIT_PROXIES"):
        networks_of(proxies)


@pytest.mark.parametrize(("proxies", "url"), [("", "http://test/"), ("127.0.0.1", "https://iit.example.org/")])
def test_the_server_is_configured_so(proxies, url):
    with served(mirror, proxies=proxies) as port, connect(port) as client:
        client.sendall(
            head(
                "GET",
                "/",
                Connection="close",
                **{name.title(): value for name, value in (ALL | OTHERS).items()},
            )
        )
        answer = rest(client).decode()
    assert f'"url":"{url}"' in answer
    assert ('"client":"203.0.113.7"' in answer) == bool(proxies)
    assert '"headers":[]' in answer
