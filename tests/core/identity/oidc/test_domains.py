"""Domains: proved by their owner's TXT record, by one tenant at a time."""

from uuid import uuid4

import dns.resolver
import pytest
from dns.exception import Timeout

from core.errors import Conflict, Invalid, NotFound, Unavailable
from core.identity.oidc import domains
from core.identity.oidc.domains import DnsProver, check_domain, claim_domain, domain_of, list_domains, remove_domain
from tests.core.identity.oidc.conftest import AUTHOR


@pytest.fixture
def name():
    return f"d{uuid4().hex[:12]}.example.org"


def test_a_domain_is_proved_by_its_own_record_alone(tenant, name, records, audited):
    claimed = claim_domain(tenant, f" {name.upper()}. ", AUTHOR)
    assert claimed.domain == name
    assert claimed.record.startswith("iit-verify=")
    assert check_domain(tenant, claimed.id, AUTHOR).proved_at is None
    records.texts[name] = ["v=spf1 -all", f"{claimed.record}x", "iit-verify="]
    assert check_domain(tenant, claimed.id, AUTHOR).proved_at is None
    records.texts[name].append(claimed.record)
    proved = check_domain(tenant, claimed.id, AUTHOR).proved_at
    assert proved is not None
    assert check_domain(tenant, claimed.id, AUTHOR).proved_at == proved
    assert len(audited("api:sso_domain:prove")) == 1


def test_a_record_that_is_gone_unproves_the_domain(tenant, name, records, prove):
    prove(tenant, name)
    domain_id = next(domain.id for domain in list_domains(tenant) if domain.domain == name)
    records.texts[name] = []
    assert check_domain(tenant, domain_id, AUTHOR).proved_at is None


def test_a_record_of_another_tenant_proves_nothing_here(tenant, name, records, make_tenant):
    other = make_tenant().ref
    ours, theirs = claim_domain(tenant, name, AUTHOR), claim_domain(other, name, AUTHOR)
    records.texts[name] = [theirs.record]
    assert check_domain(tenant, ours.id, AUTHOR).proved_at is None
    assert check_domain(other, theirs.id, AUTHOR).proved_at is not None
    records.texts[name].append(ours.record)
    with pytest.raises(Conflict):
        check_domain(tenant, ours.id, AUTHOR)
    remove_domain(other, theirs.id, AUTHOR)
    assert check_domain(tenant, ours.id, AUTHOR).proved_at is not None


def test_a_domain_is_claimed_one_time_and_by_its_name(tenant, name, records):
    claim_domain(tenant, name, AUTHOR)
    with pytest.raises(Conflict):
        claim_domain(tenant, name, AUTHOR)
    for wrong in ("", "example", "exa mple.org", "-a.org", "a..org", "127.0.0.1", "a@b@c", f"{'a' * 64}.org"):
        with pytest.raises(Invalid):
            claim_domain(tenant, wrong, AUTHOR)
    with pytest.raises(NotFound):
        remove_domain(tenant, uuid4(), AUTHOR)


def test_a_tenant_claims_a_bounded_number(tenant, name, records, monkeypatch):
    monkeypatch.setattr(domains, "MOST", len(list_domains(tenant)))
    with pytest.raises(Conflict):
        claim_domain(tenant, name, AUTHOR)


def test_the_domain_of_an_address():
    assert domain_of("A.Person@Example.ORG") == "example.org"
    assert domain_of("a@münchen.example") == "xn--mnchen-3ya.example"
    assert [domain_of(text) for text in ("", "nobody", "a@", "a@b c.org")] == ["", "", "", ""]


class Strings:
    def __init__(self, *strings):
        self.strings = strings


@pytest.mark.parametrize(
    ("answer", "texts"),
    [
        ([Strings(b"iit-", b"verify=a"), Strings(b"\xff")], ["iit-verify=a", "\ufffd"]),
        (dns.resolver.NXDOMAIN(), []),
        (dns.resolver.NoAnswer.__new__(dns.resolver.NoAnswer), []),
    ],
)
def test_records_come_from_the_resolver(monkeypatch, answer, texts):
    def resolve(self, name, kind, lifetime):
        assert (name, kind, lifetime) == ("example.org.", "TXT", 5.0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(dns.resolver.Resolver, "resolve", resolve)
    assert DnsProver().txt_records("example.org") == texts


def test_silent_name_servers_are_no_missing_record(monkeypatch):
    def resolve(self, name, kind, lifetime):
        raise Timeout

    monkeypatch.setattr(dns.resolver.Resolver, "resolve", resolve)
    with pytest.raises(Unavailable):
        DnsProver().txt_records("example.org")
