"""A flag is on for whom its definition says, in every process, and has its default whenever that cannot be known."""

from datetime import date
from types import SimpleNamespace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from core.audit.platform import acts
from core.errors import Conflict, Invalid, NotFound
from core.flags import Flag, Subject, asking, declaration, is_on, service, variant_of
from core.flags.definition import Definition
from core.flags.editing import Choices, choices_of, definition_of
from core.flags.source import EngineSource
from tests.waiting import wait_until

SHADES = Flag("tests.shades", "Two shades", "tests", kind="operational", variants=("plain", "dark"))
PLAIN = Flag("tests.plain", "A switch", "tests", kind="operational", default=True)
OLD = Flag("tests.old", "A release", "tests", expires_on=date(2026, 1, 1))


@pytest.fixture
def declared(monkeypatch, database):
    """Three flags, none of them set."""
    known = {flag.name: flag for flag in (SHADES, PLAIN, OLD)}
    monkeypatch.setattr(declaration, "flags", lambda: known)
    monkeypatch.setattr(service, "flags", lambda: known)
    asking.memory.forget()
    yield known
    for name in known:
        service.set_flag(name, None, reason="the test is over", actor="test:1")
    asking.memory.forget()


def partner(number):
    return Subject(SimpleNamespace(slug=f"partner-{number}", id=UUID(int=number)))


def put(flag, choices):
    service.set_flag(flag.name, definition_of(flag.name, choices), reason="a test", actor="test:1")


def test_a_flag_that_nobody_set_has_its_default(declared):
    assert is_on(PLAIN)
    assert not is_on(OLD)
    assert variant_of(SHADES) == "plain"


def test_a_share_of_the_partners_is_about_that_share_and_each_stays_on_its_side(declared):
    put(PLAIN, Choices(percent=25))
    first = [is_on(PLAIN, partner(number)) for number in range(400)]
    assert 60 <= sum(first) <= 140
    assert [is_on(PLAIN, partner(number)) for number in range(400)] == first
    put(PLAIN, Choices(percent=50))
    assert all(is_on(PLAIN, partner(number)) for number, on in enumerate(first) if on)


def test_denied_partners_and_other_environments_do_not_have_it(declared):
    put(PLAIN, Choices(not_tenants=["partner-1"]))
    assert (is_on(PLAIN, partner(1)), is_on(PLAIN, partner(2))) == (False, True)
    put(PLAIN, Choices(tenants=["partner-1"]))
    assert (is_on(PLAIN, partner(1)), is_on(PLAIN, partner(2))) == (True, False)
    put(PLAIN, Choices(environments=["nowhere"]))
    assert not is_on(PLAIN, partner(1))


def test_a_named_person_has_it_whatever_the_share(declared):
    put(PLAIN, Choices(percent=0, people=["person-7"]))
    assert is_on(PLAIN, Subject(person="person-7"))
    assert not is_on(PLAIN, Subject(person="person-8"))


def test_variants_share_those_for_whom_it_is_on(declared):
    put(SHADES, Choices(variants=[("plain", 50), ("dark", 50)]))
    names = [variant_of(SHADES, partner(number)) for number in range(200)]
    assert {name: names.count(name) >= 60 for name in set(names)} == {"plain": True, "dark": True}
    put(SHADES, Choices(on=False))
    assert variant_of(SHADES, partner(1)) == "plain"


def test_a_variant_that_the_code_does_not_know_is_rejected(declared):
    with pytest.raises(Invalid, match="does not know a variant"):
        put(SHADES, Choices(variants=[("light", 100)]))


def test_every_change_has_its_reason_in_the_history_and_the_audit(declared):
    put(PLAIN, Choices(on=False))
    service.set_flag(PLAIN.name, None, reason="back", actor="test:1")
    changes = service.flag_history(PLAIN.name)
    assert [(change.reason, change.definition and change.definition.enabled) for change in changes[:2]] == [
        ("back", None),
        ("a test", False),
    ]
    details = [act["detail"] for act in acts(actions=["cli:flag:change"])]
    assert {"flag": PLAIN.name, "on": True} in details
    with pytest.raises(Invalid, match="needs a reason"):
        service.set_flag(PLAIN.name, None, reason=" ", actor="test:1")


def test_of_two_changes_at_once_the_second_is_told(declared):
    seen = service.get_flag(PLAIN.name).change
    put(PLAIN, Choices(on=False))
    with pytest.raises(Conflict, match="meanwhile"):
        service.set_flag(PLAIN.name, None, reason="late", actor="test:1", change=seen)


def test_stale_and_undeclared_flags_are_reported(declared, monkeypatch):
    assert [state.flag.name for state in service.list_flags() if state.stale] == [OLD.name]
    put(PLAIN, Choices())
    monkeypatch.setattr(service, "flags", dict)
    assert PLAIN.name in service.undeclared()


def test_an_unknown_flag_is_an_error_of_the_code(declared):
    with pytest.raises(NotFound, match="no feature declares"):
        is_on("tests.nothing")


def test_flags_that_cannot_be_read_keep_what_was_read_or_their_defaults(declared, monkeypatch):
    def broken():
        raise OSError

    put(PLAIN, Choices(on=False))
    monkeypatch.setattr(asking, "stored_definitions", broken)
    asking.memory.read()
    assert not is_on(PLAIN)
    asking.memory.forget()
    assert is_on(PLAIN)


def test_another_process_follows_a_change(declared):
    other = asking.Memory()
    try:
        assert other.source().ask(PLAIN.name, {}).known is False
        put(PLAIN, Choices(on=False))
        wait_until(lambda: other.source().ask(PLAIN.name, {}).known)
    finally:
        other.forget()


@given(
    percent=st.integers(0, 100),
    tenants=st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), max_size=3),
    not_tenants=st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), max_size=3),
    people=st.lists(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), max_size=3),
    on=st.booleans(),
)
def test_the_form_shows_what_it_saved(percent, tenants, not_tenants, people, on):
    choices = Choices(on, percent, "userId", tuple(tenants), tuple(not_tenants), tuple(people))
    assert choices_of("a.flag", definition_of("a.flag", choices), default=False) == choices


@pytest.mark.parametrize(
    "definition",
    [
        {"enabled": True, "strategies": [{"name": "flexibleRollout", "parameters": {"rollout": "25"}}]},
        {"enabled": True, "strategies": [{"name": "default", "parameters": {"rollout": "25"}}]},
        {"enabled": True, "strategies": [{"name": "remoteAddress", "parameters": {"IPs": "here"}}]},
        {"enabled": True, "strategies": [{"name": "magic"}]},
        {"enabled": True, "variants": [{"name": "a", "weight": 400}]},
        {
            "enabled": True,
            "strategies": [{"name": "default", "constraints": [{"contextName": "x", "operator": "NUM_GT"}]}],
        },
    ],
)
def test_a_definition_that_the_engine_would_not_understand_is_rejected(definition):
    with pytest.raises(ValidationError):
        Definition.model_validate(definition)


def test_constraints_and_addresses_mean_what_they_mean_in_unleash():
    source = EngineSource(
        {
            "a.net": Definition.model_validate(
                {"enabled": True, "strategies": [{"name": "remoteAddress", "parameters": {"IPs": "10.0.0.0/8"}}]}
            ).feature("a.net"),
            "a.size": Definition.model_validate(
                {
                    "enabled": True,
                    "strategies": [
                        {
                            "name": "default",
                            "constraints": [{"contextName": "people", "operator": "NUM_GTE", "value": "1000"}],
                        }
                    ],
                }
            ).feature("a.size"),
        }
    )
    assert [source.ask("a.net", {"remoteAddress": address}).on for address in ("10.1.2.3", "192.0.2.1")] == [
        True,
        False,
    ]
    assert [source.ask("a.size", {"properties": {"people": count}}).on for count in ("999", "1000")] == [False, True]
