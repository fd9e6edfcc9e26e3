"""Letters that bring issued invoices to the address of the account."""

from datetime import date
from decimal import Decimal

import pytest

from billing.invoices import letters
from billing.invoices.credits import credits_of, grant_credit, revoke_credit
from billing.invoices.payments import credit_note
from billing.plans.service import Act
from core.database import platform_session
from core.errors import Conflict, Invalid, Unavailable
from tests.billing.conftest import ACT, noon


@pytest.fixture
def post(monkeypatch):
    """The letters that a mail server took; it takes none while ``post.away``."""

    class Post(list):
        away = False

        def send(self, letter):
            if self.away:
                raise Unavailable("mail server")
            self.append(letter)

    office = Post()
    monkeypatch.setattr(letters.mail, "is_configured", lambda: True)
    monkeypatch.setattr(letters.mail, "send", office.send)
    return office


def test_an_issued_document_is_mailed_one_time_with_its_file_even_through_an_outage(partner, post):
    partner.subscribe({"base_fee": "100"}, "2027-02-01", email="accounts@partner.example")
    (invoice,) = partner.issue("2027-03-04")
    post.away = True
    with pytest.raises(Unavailable):
        letters.send_due(partner.ref.id)
    post.away = False
    assert [letters.send_due(partner.ref.id) for _ in range(2)] == [1, 0]
    (letter,) = post
    (file,) = letter.iter_attachments()
    assert letter["To"] == "accounts@partner.example"
    assert str(invoice.id) in letter["Message-ID"]
    assert "USD 100.00" in letter.get_body().get_content()
    assert (file.get_filename(), file.get_content()[:4]) == (f"{invoice.label}.pdf", b"%PDF")
    with platform_session() as session:
        note = credit_note(session, invoice.id, now=noon("2027-03-05"), act=Act("test:1", "cli", "A day off"))
    assert letters.send_due(partner.ref.id) == 1
    assert note.label in post[-1]["Subject"]


def test_what_is_left_of_a_credit_is_revoked_by_an_entry_and_pays_nothing_more(partner):
    partner.subscribe({"base_fee": "100"}, "2027-02-01")
    why = Act("test:1", "cli", "Wrong partner")
    with platform_session() as session:
        credit_id = grant_credit(session, partner.ref.id, Decimal(150), "USD", today=date(2027, 2, 1), act=ACT).id
    (first,) = partner.issue("2027-03-04")
    with platform_session() as session, pytest.raises(Invalid, match="reason"):
        revoke_credit(session, partner.ref.id, credit_id, act=Act("test:1"))
    with platform_session() as session:
        revoke_credit(session, partner.ref.id, credit_id, act=why)
        (state,) = credits_of(session, partner.ref.id)
    assert (first.total, state.left, state.credit.amount) == (Decimal(0), Decimal(0), Decimal(150))
    with platform_session() as session, pytest.raises(Conflict, match="nothing is left"):
        revoke_credit(session, partner.ref.id, credit_id, act=why)
    (second,) = partner.issue("2027-04-04")
    assert second.total == Decimal(100)
