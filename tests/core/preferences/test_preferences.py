"""Settings of a tenant: every group by one API and one command, validated, with defaults and who changed them."""

from __future__ import annotations

import json
from threading import Thread

import pytest
from sqlalchemy import text

from core.cli.main import run as iit
from core.database import tenant_session
from core.errors import AppError
from core.identity.keys import create_key
from core.preferences import amend, group, groups, read, reset
from core.preferences.reference import FILE, page
from core.web.etag import ExpectedVersions, etag

ANY = {"If-Match": "*"}


def ok(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def audited(tenant):
    with tenant_session(tenant, actor="test:1", readonly=True) as session:
        rows = session.execute(
            text("SELECT actor, detail FROM audit_events WHERE action = 'settings:group:change' ORDER BY event_id")
        )
        return [tuple(row) for row in rows]


class TestModels:
    @pytest.mark.parametrize("name", groups())
    def test_every_setting_has_a_default_and_a_description_and_no_other_key_passes(self, name):
        wanted = group(name)
        wanted.model()
        bare = [leaf for leaf, _, field in wanted.leaves() if not (field.description or "").strip()]
        assert bare == []
        lax = {model.__name__ for _, model, _ in wanted.leaves() if model.model_config.get("extra") != "forbid"}
        assert lax == set()

    def test_the_groups_are_those_of_the_rooms(self):
        assert {"cohort", "retention", "risk"} <= set(groups())

    def test_the_permissions_that_groups_name_are_declared(self):
        from core.identity import declared_permissions

        assert {group.permission for group in groups().values()} <= set(declared_permissions())

    def test_the_reference_page_is_that_of_the_models(self):
        assert FILE.read_text(encoding="utf-8") == page()


class TestApi:
    def test_a_group_shows_value_default_schema_and_who_changed_it(self, api, owner):
        before = ok(api.get("/v1/settings/risk"))
        assert (before["changed_at"], before["changed_by"], before["set_names"]) == (None, None, [])
        assert before["value"] == before["default"]
        assert before["schema"]["properties"]["capacity_share"]["maximum"] == 0.5
        ok(api.patch("/v1/settings/risk", json={"capacity_share": 0.2}, headers=ANY))
        after = ok(api.get("/v1/settings/risk"))
        assert (after["value"]["capacity_share"], after["default"]["capacity_share"]) == (0.2, 0.3)
        assert after["set_names"] == ["capacity_share"]
        assert after["changed_by"].startswith("api_key:")
        assert after["changed_at"]
        listed = {group["name"]: group for group in ok(api.get("/v1/settings"))}
        assert listed["risk"]["value"] == after["value"]
        assert set(listed) == set(groups())

    def test_the_audit_names_the_changed_keys_and_no_values(self, api, owner):
        ok(api.patch("/v1/settings/cohort", json={"completeness": {"share": 0.6}, "grace_days": 30}, headers=ANY))
        ok(api.patch("/v1/settings/cohort", json={"grace_days": 30}, headers=ANY))
        ((actor, detail),) = audited(owner.ref)
        assert actor.startswith("api_key:")
        assert detail == {"group": "cohort", "keys": ["grace_days", "completeness.share"]}

    def test_put_sets_the_whole_group_and_patch_what_is_given(self, api):
        ok(api.put("/v1/settings/risk", json={"reasons": 5, "training_years": 3}, headers=ANY))
        value = ok(api.patch("/v1/settings/risk", json={"reasons": None, "training_units": 5000}, headers=ANY))["value"]
        assert (value["reasons"], value["training_years"], value["training_units"]) == (3, 3, 5000)
        value = ok(api.put("/v1/settings/risk", json={"reasons": 4}, headers=ANY))["value"]
        assert (value["reasons"], value["training_years"]) == (4, 6)

    def test_a_nested_group_is_merged_and_one_of_several_kinds_replaced(self, api):
        ok(api.patch("/v1/settings/cohort", json={"completeness": {"share": 0.6}}, headers=ANY))
        ok(api.patch("/v1/settings/cohort", json={"rule": {"kind": "fixed", "days": 45}}, headers=ANY))
        change = {"completeness": {"silence": 2}, "rule": {"kind": "usual_interval"}}
        value = ok(api.patch("/v1/settings/cohort", json=change, headers=ANY))["value"]
        assert (value["completeness"]["share"], value["completeness"]["silence"]) == (0.6, 2)
        assert value["rule"]["kind"] == "usual_interval"
        assert ok(api.get("/v1/settings/cohort"))["set_names"] == ["rule", "completeness.share", "completeness.silence"]

    def test_who_changes_must_have_seen_the_version(self, api):
        tag = api.get("/v1/settings/risk").headers["etag"]
        assert api.put("/v1/settings/risk", json={}).status_code == 428
        changed = api.put("/v1/settings/risk", json={"reasons": 2}, headers={"If-Match": tag})
        now = api.get("/v1/settings/risk").headers["etag"]
        assert now != tag
        assert now.startswith(changed.headers["etag"][:-1])
        assert api.patch("/v1/settings/risk", json={"reasons": 1}, headers={"If-Match": tag}).status_code == 412

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"capacity_share": 0.9}, "body.capacity_share"),
            ({"capacity_share": "much"}, "body.capacity_share"),
            ({"training_years": 0}, "body.training_years"),
            ({"unheard_of": 1}, "body.unheard_of"),
            ({"unheard_of": None}, "body.unheard_of"),
            ({"Musa Bello": 1}, "body"),
        ],
    )
    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    def test_what_does_not_fit_is_rejected_by_name_and_changes_nothing(self, api, owner, method, body, field):
        answer = api.request(method, "/v1/settings/risk", json=body, headers=ANY)
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]
        assert audited(owner.ref) == []

    @pytest.mark.parametrize("method", ["PUT", "PATCH"])
    @pytest.mark.parametrize(
        ("group", "body", "field", "remedy"),
        [
            ("risk", {"capacity_shares": 0.2}, "body.capacity_shares", "Send capacity_share, or leave it out."),
            (
                "cohort",
                {"completeness": {"shares": 0.6}},
                "body.completeness.shares",
                "Send share, or leave it out.",
            ),
            ("cohort", {"rule": {"kind": "fixed", "dais": 45}}, "body.rule.fixed.dais", "Send days, or leave it out."),
        ],
    )
    def test_of_an_unknown_setting_the_nearest_known_one_is_named(self, api, method, group, body, field, remedy):
        answer = api.request(method, f"/v1/settings/{group}", json=body, headers=ANY)
        assert answer.status_code == 422
        assert [(error["field"], error["remedy"]) for error in answer.json()["errors"]] == [(field, remedy)]

    def test_an_unknown_group_is_not_found_and_the_known_ones_are_named(self, api):
        for answer in (api.get("/v1/settings/nope"), api.put("/v1/settings/nope", json={}, headers=ANY)):
            assert answer.status_code == 404
            assert "retention" in answer.json()["remedy"]

    def test_a_group_is_changed_only_with_its_own_permission(self, application, client_for, owner):
        key = create_key(owner.ref, name="some", permissions=("settings.read", "settings.write", "risk.settings"))
        client = client_for(application, key.plaintext)
        assert client.patch("/v1/settings/risk", json={"reasons": 2}, headers=ANY).status_code == 200
        for method in ("PUT", "PATCH"):
            rejected = client.request(method, "/v1/settings/cohort", json={"grace_days": 2}, headers=ANY)
            assert rejected.status_code == 403
            assert "cohort.write" in rejected.json()["detail"]

    def test_a_stored_value_that_no_longer_fits_is_told_and_can_be_reset(self, api, owner):
        with tenant_session(owner.ref, actor="test:1") as session:
            session.execute(text("INSERT INTO tenant_settings VALUES ('risk', '{\"gone\": 1}', now(), 'test:1')"))
        listed = {group["name"]: group for group in ok(api.get("/v1/settings"))}
        assert "do not fit" in listed["risk"]["problem"]
        assert listed["risk"]["value"] == listed["risk"]["default"]
        assert listed["cohort"]["problem"] is None
        assert ok(api.put("/v1/settings/risk", json={}, headers=ANY))["problem"] is None


class TestService:
    def test_rooms_that_listen_hear_of_a_change_in_force_once(self, tenant, monkeypatch):
        heard = []
        monkeypatch.setattr(
            "core.preferences.service.publish", lambda _, event, payload: heard.append((event, payload))
        )
        with tenant_session(tenant, actor="test:1") as session:
            amend(session, group("cohort"), {"grace_days": 28})
            amend(session, group("cohort"), {"grace_days": 30})
            amend(session, group("cohort"), {"grace_days": 30})
            reset(session, group("cohort"), ["grace_days"])
        assert heard == [("settings.changed", {"key": "cohort", "keys": ["grace_days"]})] * 2

    def test_of_two_who_saw_the_same_version_only_one_changes_it(self, tenant):
        outcomes = []
        with tenant_session(tenant, actor="test:1") as session:
            seen = ExpectedVersions(frozenset({etag(read(session, group("risk")).version)}))

        def change(reasons):
            try:
                with tenant_session(tenant, actor="test:2") as session:
                    amend(session, group("risk"), {"reasons": reasons}, seen)
                outcomes.append("changed")
            except AppError as error:
                outcomes.append(error.slug)

        threads = [Thread(target=change, args=(reasons,)) for reasons in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["changed", "precondition-failed"]


class TestCommands:
    def test_a_setting_is_listed_set_shown_and_reset(self, tenant, capsys):
        assert iit(["settings", "set", tenant.slug, "risk.capacity_share", "0.2"]) == 0
        assert "0.2" in capsys.readouterr().out
        assert iit(["settings", "show", tenant.slug, "risk"]) == 0
        shown = capsys.readouterr().out
        assert "by cli:" in shown
        assert "risk.capacity_share" in shown
        assert iit(["settings", "list", tenant.slug, "--json"]) == 0
        listed = {group["name"]: group for group in json.loads(capsys.readouterr().out)["groups"]}
        assert listed["risk"]["value"]["capacity_share"] == 0.2
        assert iit(["settings", "reset", tenant.slug, "risk.capacity_share", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["set_names"] == []
        assert iit(["settings", "show", tenant.slug, "risk", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["schema"]["properties"]
        assert [detail["keys"] for _, detail in audited(tenant)] == [["capacity_share"]] * 2

    def test_values_are_json_where_they_are_json_and_texts_otherwise(self, tenant, capsys):
        assert iit(["settings", "set", tenant.slug, "cohort.rule", '{"kind": "fixed", "days": 60}']) == 0
        assert iit(["settings", "set", tenant.slug, "cohort.expected_from", "bookings"]) == 0
        assert iit(["settings", "set", tenant.slug, "cohort.completeness.share", "0.4"]) == 0
        capsys.readouterr()
        assert iit(["settings", "reset", tenant.slug, "cohort.rule", "--json"]) == 0
        value = json.loads(capsys.readouterr().out)["value"]
        assert (value["rule"]["days"], value["expected_from"], value["completeness"]["share"]) == (30, "bookings", 0.4)
        assert iit(["settings", "reset", tenant.slug, "cohort", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["set_names"] == []

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (["set", "{}", "risk.capacity_share", "2"], 1, "capacity_share"),
            (["set", "{}", "risk.nothing", "2"], 1, "choose one of"),
            (["set", "{}", "nothing.x", "2"], 1, "choose one of"),
            (["set", "{}", "risk", "2"], 2, "not a setting"),
            (["set", "{}", "cohort.rule.days", "2"], 1, "as a whole"),
            (["reset", "{}", "risk.nothing"], 1, "choose one of"),
            (["show", "{}", "nothing"], 1, "choose one of"),
        ],
    )
    def test_what_cannot_be_done_is_said(self, tenant, capsys, arguments, code, message):
        assert iit(["settings", *(word.format(tenant.slug) if word == "{}" else word for word in arguments)]) == code
        assert message in capsys.readouterr().err
