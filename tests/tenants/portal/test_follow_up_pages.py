"""The pages of targets, the hold-out, the effect and the size of lists, without a browser."""

import re
from datetime import timedelta

import pytest

from core.clock import today
from core.database import platform_session, tenant_session
from core.identity.people import members, sessions
from core.tenancy import settings as tenant_settings
from tenants.followup import effect, list_size
from tenants.followup.effect import Effect, Share, difference
from tenants.followup.list_size import Places
from tenants.followup.settings import FollowUpSettings
from tests.keyed import KeyedClient
from tests.tenants.followup.scored import ZONE

DAY = today(ZONE)


@pytest.fixture(scope="module")
def admin(application, make_tenant):
    """A browser of a partner's admin, whose partner has one clinic."""
    owner = make_tenant()
    api = KeyedClient(application, headers={"Authorization": f"Bearer {owner.api_key}"})
    api.post("/v1/facilities", json={"datim_id": "FAC001", "name": "Hope Clinic"})
    email = f"a@{owner.ref.slug}.example.org"
    person = members.add_member(owner.ref, email, "Ada", members.Grant(["partner_admin"]), actor="test:1")
    with platform_session() as session:
        members.accept(session, person, owner.ref.id)
        begun = sessions.begin(session, person, owner.ref.id, signed_in_by="password")
    client = KeyedClient(application)
    client.cookies.set("iit_session", begun.secret)
    client.tenant = owner.ref
    return client


def post(client, path, files=None, **form):
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/me").text)[1]
    headers = {"Origin": "http://testserver"}
    if files:
        path, form = f"{path}?csrf_token={token}", {}
    return client.post(path, data={"csrf_token": token, **form}, files=files, headers=headers, follow_redirects=False)


def test_a_hold_out_is_recorded_with_its_approval_replaced_and_ended(admin):
    assert "the share is 0" in admin.get("/follow-up/hold-out").text
    form = {"share": "10", "reference": "NHREC/7", "approved_on": str(DAY), "approved_by": "Ethics Committee"}
    for wrong in ({"share": "51"}, {"share": "x"}, {"reference": " "}, {"approved_on": str(DAY + timedelta(days=1))}):
        answer = post(admin, "/follow-up/hold-out", **{**form, **wrong})
        assert (answer.status_code, "the share is 0" in answer.text) == (422, True), wrong
        assert re.findall(r'id="(\w+)-error"', answer.text) == list(wrong)
    assert post(admin, "/follow-up/hold-out", **form).status_code == 303
    text = admin.get("/follow-up/hold-out").text
    for fact in ("10%", "NHREC/7", "Ethics Committee", "you, "):
        assert fact in text
    assert post(admin, "/follow-up/hold-out/end").status_code == 303
    text = admin.get("/follow-up/hold-out").text
    assert ("the share is 0" in text, "Earlier approvals" in text, "NHREC/7" in text) == (True, True, True)


def test_the_effect_is_not_known_without_a_hold_out(admin, monkeypatch):
    text = admin.get("/follow-up/effect").text
    assert "The effect is not known" in text
    assert "Nobody was held out in this period" in text
    shown, held_out, none = Share(100, 80), Share(60, 30), Share(0, 0)
    report = Effect("causal", shown, held_out, none, shown, difference(shown, held_out))
    monkeypatch.setattr(effect, "read_effect", lambda *_: report)
    text = admin.get("/follow-up/effect").text
    assert "More people returned in time because they were on a list: 30 in 100" in text
    assert "The effect is not known" not in text
    few = Effect("none", shown, Share(5, 5), none, shown, None)
    monkeypatch.setattr(effect, "read_effect", lambda *_: few)
    assert "Too few people are settled" in admin.get("/follow-up/effect").text


def test_targets_are_set_by_form_and_by_file(admin):
    assert "No clinic has a target yet." in admin.get("/follow-up/targets").text
    form = {"facility": "FAC001", "month": f"{DAY:%Y-%m}", "reached": "80 %", "returned": "62,5"}
    assert post(admin, "/follow-up/targets", **form).headers["location"].endswith("done=1")
    text = admin.get("/follow-up/targets?done=1").text
    assert ("1 target was set." in text, "80%" in text) == (True, True)
    for wrong in ({"reached": "x"}, {"reached": "50"}, {"month": "May"}, {"facility": "nowhere"}):
        assert post(admin, "/follow-up/targets", **{**form, **wrong}).status_code == 422, wrong
    for content, status in (("FAC001,2026-01,70%,50%", 303), ("FAC001,2026-01,70,", 422)):
        file = ("targets.csv", f"facility,month,reached,returned\n{content}\n".encode(), "text/csv")
        answer = post(admin, "/follow-up/targets/file", files={"file": file})
        assert answer.status_code == status
    assert "line 2: reached" in answer.text


def test_a_size_says_what_it_catches_and_can_be_set(admin, monkeypatch):
    assert "Nothing can be said yet" in admin.get("/today/size").text
    places = Places(DAY - timedelta(days=90), DAY - timedelta(days=60), {3: 50, 12: 50}, {3: 30, 12: 10}, patients=40)
    monkeypatch.setattr(list_size, "read_places", lambda _: places)
    text = admin.get("/today/size?size=10").text
    assert "Lists of 10 people a clinic would have had 75% of the people who interrupted (60% to 86%)." in text
    assert text.count('class="bar"') == len(list_size.SIZES)
    assert "30 of 40" in text
    assert post(admin, "/today/size", size="0").status_code == 422
    assert post(admin, "/today/size", size="10").status_code == 303
    assert "Lists at risk have 10 people of each clinic now." in admin.get("/today/size?done=set").text
    with tenant_session(admin.tenant, actor="test:1") as session, session.cursor() as cursor:
        rows = cursor.execute("SELECT value FROM tenant_settings WHERE key = 'risk'").fetchall()
    assert rows == [({"capacity": 10},)]


def test_the_team_page_says_whether_lists_are_shared_out_by_themselves_and_what_the_button_did(admin):
    assert "New lists wait until somebody shares them out." in admin.get("/follow-up/team").text
    with tenant_session(admin.tenant, actor="test:1") as session:
        tenant_settings.put(session, FollowUpSettings(share_out=True))
    assert "New lists are shared out as soon as they are made." in admin.get("/follow-up/team").text
    answer = post(admin, "/follow-up/team/share")
    assert answer.status_code == 303
    assert "0 people were assigned." in admin.get(answer.headers["location"]).text
    at = "/follow-up/team?assigned=1&handed_over=2&given_back=1&left=3"
    text = admin.get(at).text
    for words in (
        "1 person was assigned.",
        "2 people of somebody who is away",
        "1 person went back",
        "3 people are left",
    ):
        assert words in text
