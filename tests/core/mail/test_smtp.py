"""Sending letters: to a real server on loopback, encrypted or not at all, and without naming anybody in errors."""

import ssl
from email.message import EmailMessage

import pytest

from core import mail
from core.errors import Unavailable
from core.resilience.dependencies import MAIL_SERVER
from core.settings import get_settings
from tests.core.mail.server import certificate, postbox


@pytest.fixture
def use(monkeypatch):
    """Sets the mail server: ``use("smtp://127.0.0.1:2525")``."""

    def begin(address):
        monkeypatch.setenv("IIT_SMTP_URL", address)
        monkeypatch.setenv("IIT_MAIL_FROM", "Platform <iit@example.org>")
        monkeypatch.setenv("IIT_PUBLIC_URL", "https://iit.example.org")
        get_settings.cache_clear()

    yield begin
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
def letter():
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "iit@example.org", "ann@example.org", "Bem-vinda à equipa"
    message.set_content("Olá\n")
    return message


def test_a_letter_arrives_whole_with_the_password_before_it(use, letter):
    with postbox() as box:
        use(f"smtp://iit:se%20cret@127.0.0.1:{box.port}")
        assert mail.is_configured()
        mail.send(letter)
    assert [one["Subject"] for one in box.letters] == ["Bem-vinda à equipa"]
    assert box.letters[0].get_content().split() == ["Olá"]
    assert box.commands.index("AUTH") < box.commands.index("MAIL")


def test_without_a_server_nothing_is_sent(letter):
    assert not mail.is_configured()
    with pytest.raises(Unavailable):
        mail.send(letter)


def test_an_error_names_nobody(use, letter):
    with postbox() as box:
        box.rejects = "ann@example.org"
        use(f"smtp://127.0.0.1:{box.port}")
        with pytest.raises(Unavailable) as error:
            mail.send(letter)
    assert "ann" not in f"{error.value.detail} {error.value.remedy}"
    assert error.value.__cause__ is None


def test_an_address_that_the_server_does_not_support_says_nothing_about_the_server(use, letter):
    letter.replace_header("To", "ü@example.org")
    with postbox() as box:
        use(f"smtp://127.0.0.1:{box.port}")
        for _ in range(MAIL_SERVER.breaker.calls + 1):
            with pytest.raises(Unavailable):
                mail.send(letter)
        letter.replace_header("To", "ann@example.org")
        mail.send(letter)
    assert len(box.letters) == 1


def test_a_server_that_is_away_is_an_error(use, letter):
    with postbox() as box:
        use(f"smtp://127.0.0.1:{box.port}")
    with pytest.raises(Unavailable):
        mail.send(letter)


def test_a_server_that_offers_tls_and_cannot_begin_it_gets_no_letter(use, letter):
    with postbox() as box:
        box.offers = ("STARTTLS",)
        use(f"smtp://127.0.0.1:{box.port}")
        with pytest.raises(Unavailable):
            mail.send(letter)
    assert "MAIL" not in box.commands


def test_a_server_elsewhere_without_tls_gets_no_letter(use, letter, monkeypatch):
    monkeypatch.setattr("core.mail.smtp._is_here", lambda host: False)
    with postbox() as box:
        use(f"smtp://127.0.0.1:{box.port}")
        with pytest.raises(Unavailable):
            mail.send(letter)
    assert "MAIL" not in box.commands


def test_an_encrypted_server_must_have_a_certificate_that_is_trusted(use, letter, monkeypatch, tmp_path):
    file = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with postbox(context) as box:
        use(f"smtps://127.0.0.1:{box.port}")
        with pytest.raises(Unavailable):
            mail.send(letter)
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        mail.send(letter)
    assert len(box.letters) == 1


@pytest.mark.parametrize(
    ("host", "local"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False)]
)
def test_only_this_machine_may_go_without_encryption(host, local):
    from core.mail.smtp import _is_here

    assert _is_here(host) is local
