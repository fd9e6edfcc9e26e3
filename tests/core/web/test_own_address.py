"""The address of links for other people: from the settings, never from a header that anybody can write."""

import pytest
from starlette.requests import Request

from core.errors import Conflict
from core.web.own_address import public_origin


@pytest.fixture
def origin_for(settings_of):
    """The origin for a request to a host, with these settings: ``origin_for("evil.example", hosts="...")``."""

    def ask(host, scheme="https", **settings):
        settings_of(**settings)
        return public_origin(Request({"type": "http", "scheme": scheme, "headers": [(b"host", host.encode())]}))

    return ask


@pytest.mark.parametrize("host", ["evil.example", "localhost", "care.example.org:8443"])
def test_the_public_address_wins_over_every_host(origin_for, host):
    assert origin_for(host, public_url="https://care.example.org/", hosts="care.example.org") == (
        "https://care.example.org"
    )


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "127.3.2.1", "[::1]:8000"])
def test_on_this_machine_alone_the_host_counts(origin_for, host):
    assert origin_for(host, "http") == f"http://{host}"


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.0.2.1", "", "user@localhost"]
)
def test_any_other_host_makes_no_link_and_the_error_says_what_to_set(origin_for, host):
    with pytest.raises(Conflict) as error:
        origin_for(host)
    assert "IIT_PUBLIC_URL" in error.value.remedy


def test_a_host_that_the_application_checks_counts(origin_for):
    assert origin_for("care.example.org", hosts="care.example.org,*.example.net") == "https://care.example.org"
