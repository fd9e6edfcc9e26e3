"""Settings as fields of a form: no JSON and no code, and what is sent unchanged changes nothing."""

import pytest

from core.errors import FieldError, Invalid
from core.preferences import registry
from core.preferences.service import GroupState
from core.tenancy.settings import fitted
from tenants.portal.setting_fields import PREFIX, document_of, fields_of, with_texts, wrong_fields

RULES = (
    {"kind": "fixed", "days": 45},
    {"kind": "schedule", "by": "contact_number", "bands": [{"start": 0, "days": 30}, {"start": 6, "days": 90}]},
    {"kind": "usual_interval", "default_days": 60, "window": 7, "minimum": 3, "statistic": "trimmed_mean",
     "shortest": 10, "longest": 200},
)  # fmt: skip


def state_of(name, **stored):
    group = registry.groups()[name]
    return GroupState(group, fitted(group.model, stored), stored, None, None, None)


def sent_by(state):
    """What a browser sends of an untouched form."""
    return {PREFIX + field.name: field.text for outer in fields_of(state) for field in outer.fields()}


@pytest.mark.parametrize("name", registry.groups())
def test_a_form_that_nobody_touched_sets_nothing_and_shows_neither_json_nor_code(name):
    state = state_of(name)
    assert document_of(state, sent_by(state)) == {}
    for field in (part for outer in fields_of(state) for part in outer.fields()):
        words = f"{field.shown} {field.shown_default} {field.label} {field.meaning}".replace("TX_PVLS", "")
        assert not set("{[_") & set(words), field
        assert not field.text.startswith(("{", "[")), field


@pytest.mark.parametrize(
    ("group", "stored"),
    [
        *(("cohort", {"rule": rule, "grace_days": 30}) for rule in RULES),
        ("cohort", {"expected_by": "stock", "completeness": {"share": 0.25, "silence": 2.0}}),
        ("facilities", {"confirmed": ["A1", "B 2"], "aliases": {"old": "A1", "older": "B 2"}}),
        (
            "reports",
            {
                "dhis2": {
                    "dataSet": "q1",
                    "orgUnits": {"F": "u"},
                    "elements": [{"indicator": "TX_CURR", "dataElement": "e"}],
                },
                "keep_days": 9,
            },
        ),
        ("sign_in", {"second_factor_roles": ["clinician", "case-lead"], "language": "fr"}),
        ("messages", {"holidays": {"2026-12-25": "Christmas = rest", "2026-12-26": ""}}),
    ],
)
def test_what_is_set_is_shown_and_sent_back_as_it_is(group, stored):
    state = state_of(group, **stored)
    again = fitted(state.group.model, document_of(state, sent_by(state)))
    assert again == state.value


def test_another_kind_of_rule_takes_its_own_fields_alone():
    state = state_of("cohort")
    sent = sent_by(state) | {"set.rule": "schedule", "set.rule.schedule.bands": "0 = 30\n\n 6=90 "}
    assert document_of(state, sent) == {"rule": RULES[1] | {"by": "months_on_art"}}


def test_roles_are_chosen_from_those_of_the_partner_and_a_decimal_comma_is_read():
    (roles, _language) = fields_of(state_of("sign_in", second_factor_roles=["gone"]), ["viewer", "case-lead"])
    assert (roles.kind, roles.choices) == ("many", [("viewer", "Viewer"), ("case-lead", "case-lead"), ("gone", "gone")])
    sent = {"set.second_factor_roles": "viewer\ncase-lead"}
    assert document_of(state_of("sign_in"), sent) == {"second_factor_roles": ["viewer", "case-lead"]}
    assert document_of(state_of("risk"), {"set.capacity_share": "0,25"}) == {"capacity_share": 0.25}


@pytest.mark.parametrize(
    ("group", "name", "text"),
    [("facilities", "aliases", "no sign"), ("reports", "dhis2", "{"), ("facilities", "confirmed", "x" * 20_001)],
)
def test_what_cannot_be_read_is_told_at_its_field(group, name, text):
    with pytest.raises(Invalid) as error:
        document_of(state_of(group), {PREFIX + name: text})
    assert [problem.field for problem in error.value.errors] == [name]


def test_a_wrong_part_of_a_rule_is_told_at_that_part():
    state = state_of("cohort")
    fields = list(with_texts(fields_of(state), {"set.rule": "fixed", "set.rule.fixed.days": "999"}))
    errors = (FieldError("cohort.rule.fixed.days", "too large"), FieldError("cohort.rule.schedule.bands.0.start", "x"))
    wrong = wrong_fields(state.group, fields, errors)
    assert wrong == {
        "rule.fixed.days": "This value does not fit. From 1 to 400.",
        "rule.schedule.bands": "This value does not fit.",
    }


def test_a_gateway_is_chosen_by_its_name_and_one_that_is_gone_stays_until_another_is_chosen():
    gone, there = "019c2253-7220-70a7-a610-b4172b5ebaa0", "019c2253-7220-70a7-a610-b4172b5ebaa1"
    state = state_of("messages", gateway=gone)
    (setting,) = [one for one in fields_of(state, gateways={there: "Twilio"}) if one.name == "gateway"]
    assert dict(setting.choices) == {"": "The only one, if there is just one", gone: gone, there: "Twilio"}
    assert document_of(state, sent_by(state) | {f"{PREFIX}gateway": there})["gateway"] == there
    assert "gateway" not in document_of(state, sent_by(state) | {f"{PREFIX}gateway": ""})
