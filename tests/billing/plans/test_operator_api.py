"""The routes by which an operator creates plans, accounts and subscriptions."""

from datetime import timedelta

from core.clock import now

BASE = "/v1/operators/billing"
TERMS = {"currency": "USD", "base_fee": "100", "add_ons": {"help": {"label": "Help by phone", "fee": "5"}}}


def test_an_operator_puts_a_tenant_on_a_plan_and_previews_its_next_version(admin, tenant):
    code, account = f"plan-{tenant.id.hex[-12:]}", f"{BASE}/tenants/{tenant.slug}/account"
    subscriptions = f"{BASE}/tenants/{tenant.slug}/subscriptions"
    created = admin.post(f"{BASE}/plans/{code}/versions", json={"terms": TERMS, "name": "Standard"})
    assert (created.status_code, created.json()["version"]) == (200, 1)
    assert admin.post(f"{BASE}/plans/{code}/versions", json={"terms": TERMS}).status_code == 422
    assert code in {plan["code"] for plan in admin.get(f"{BASE}/plans").json()}

    assert admin.get(account).status_code == 404
    assert admin.patch(account, json={"email": "a@example.org"}).json()["legal_name"] == tenant.name
    assert admin.patch(account, json={"tax_rate": "7.5"}).json()["email"] == "a@example.org"
    assert admin.get(account).json()["tax_rate"] == "7.5"

    today = now().date()
    body = {"plan": code, "starts_on": today.replace(day=1).isoformat(), "add_ons": ["help"]}
    assert [change["terms"]["base_fee"] for change in admin.post(subscriptions, json=body).json()["changes"]] == ["100"]
    assert admin.post(subscriptions, json=body).status_code == 409

    dearer = {**TERMS, "base_fee": "120"}
    [effect] = admin.post(f"{BASE}/plans/{code}/preview", json=dearer).json()["effects"]
    assert (effect["tenant"], effect["before"], effect["after"]) == (tenant.slug, "105.00", "125.00")
    [effect] = admin.post(f"{BASE}/plans/{code}/preview", json={"currency": "USD"}).json()["effects"]
    assert effect["after"] is None
    assert "help" in effect["problem"]
    assert len(admin.get(f"{BASE}/plans/{code}").json()["versions"]) == 1

    tomorrow, later = ((today + timedelta(days)).isoformat() for days in (1, 40))
    change = {"effective_on": tomorrow, "overrides": {"base_fee": "90"}}
    changed = admin.post(f"{subscriptions}/changes", json=change).json()
    assert [each["terms"]["base_fee"] for each in changed["changes"]] == ["100", "90"]
    assert admin.post(f"{subscriptions}/end", json={"ends_on": later}).json()["ends_on"] == later
    assert [each["ends_on"] for each in admin.get(subscriptions).json()] == [later]
