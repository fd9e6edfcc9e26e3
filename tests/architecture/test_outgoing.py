"""Every call to another server passes the guard; and the rule catches what does not."""

import pytest

from tests.architecture import lints, outgoing


def test_nothing_calls_another_server_without_the_guard():
    breaches = [breach for path, text in lints.texts(".py") for breach in outgoing.unguarded_calls(path, text)]
    assert breaches == []


def test_every_exception_still_exists():
    assert [path for path in outgoing.MAY_CALL if not (lints.ROOT / path).exists()] == []


@pytest.mark.parametrize(
    "code",
    [
        "import httpx\nhttpx.get('https://example.org')",
        "import httpx\nwith httpx.Client() as client: pass",
        "def ask():\n    from dns.resolver import Resolver\n    Resolver().resolve('example.org')",
        "import smtplib\nsmtplib.SMTP('localhost')",
        "from redis import Redis\nRedis.from_url('redis://')",
        "from urllib.request import urlopen\nurlopen('https://example.org')",
        "import socket\nsocket.create_connection(('localhost', 1))",
    ],
)
def test_a_call_without_the_guard_is_found(code):
    assert len(list(outgoing.unguarded_calls("tenants/alerts/slack.py", code))) == 1
    guarded = f"from core.resilience import guarded\n{code}"
    assert list(outgoing.unguarded_calls("tenants/alerts/slack.py", guarded)) == []
    assert list(outgoing.unguarded_calls("core/services/ports.py", code)) == []


def test_what_only_names_an_address_is_no_call():
    assert list(outgoing.unguarded_calls("core/x.py", "import httpx\nhttpx.URL('https://example.org')")) == []
