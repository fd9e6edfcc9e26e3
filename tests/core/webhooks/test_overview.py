"""Deliveries of all tenants for operators."""

from core.jobs.worker import drain
from core.webhooks.overview import deliveries_overview


def test_what_waits_arrived_and_failed_is_counted_by_tenant(tenant, make_tenant, receiver, add, publish):
    without = make_tenant().ref
    add(receiver.url, "risk.scored")
    before = {one.tenant.slug: one for one in deliveries_overview(actor="test:1").tenants}[tenant.slug]
    assert (before.active, before.waiting, before.oldest) == (1, 0, None)
    publish()
    publish()
    receiver.answers += [(200, {}, b""), (500, {}, b"")]
    drain(tenant)
    shown = deliveries_overview(actor="test:1")
    after = {one.tenant.slug: one for one in shown.tenants}
    counted = after[tenant.slug]
    assert (counted.delivered, counted.waiting, counted.failed, counted.disabled) == (1, 1, 0, 0)
    assert counted.oldest is not None
    assert shown.tenants[0].oldest is not None, "those that wait come first"
    assert without.slug not in after
    assert without.slug not in shown.unasked
