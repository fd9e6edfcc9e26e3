"""A job that has to run alone waits for the others and keeps new ones out; a tenant never holds all threads."""

import threading
from contextlib import ExitStack

from core.jobs.isolation import Gate
from core.jobs.runner import Runner


def entering(how, order, name, stopping=None):
    """A thread that enters the gate, says so, and stays until told to go on."""
    go_on, inside = threading.Event(), threading.Event()

    def run():
        with how(stopping or threading.Event()) as entered:
            if entered:
                order.append(name)
            inside.set()
            go_on.wait(60)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, inside, go_on


def test_who_is_to_be_alone_waits_for_the_others_and_goes_before_those_that_come_later():
    gate, order = Gate(), []
    first, inside, go_on = entering(gate.beside_others, order, "first")
    assert inside.wait(60)
    alone, alone_inside, alone_go_on = entering(gate.alone, order, "alone")
    while not gate._waiting:
        threading.Event().wait(0.01)
    later, later_inside, later_go_on = entering(gate.beside_others, order, "later")
    assert not alone_inside.wait(0.3), "the first is still there"
    assert not later_inside.is_set()
    go_on.set()
    assert alone_inside.wait(60)
    assert not later_inside.wait(0.3), "nothing runs beside it"
    alone_go_on.set()
    assert later_inside.wait(60)
    later_go_on.set()
    for thread in (first, alone, later):
        thread.join(60)
    assert order == ["first", "alone", "later"]


def test_nobody_waits_in_a_worker_that_stops():
    gate, order, stopping = Gate(), [], threading.Event()
    holder, inside, go_on = entering(gate.alone, order, "holder")
    assert inside.wait(60)
    waiting = [entering(how, order, "waiting", stopping) for how in (gate.alone, gate.beside_others)]
    stopping.set()
    for thread, waited, let_go in waiting:
        assert waited.wait(60)
        let_go.set()
        thread.join(60)
    go_on.set()
    holder.join(60)
    assert order == ["holder"]
    with gate.beside_others(threading.Event()) as entered:
        assert entered, "it is free again"


def test_a_tenant_that_holds_its_share_leaves_the_message_to_later(tenant, ask, change, row):
    runner = Runner(threads=2)
    job_id = ask(tenant)
    change(job_id, "state = 'sent', sent_at = now()")
    with ExitStack() as seats:
        assert runner._seat(tenant.role_name, seats)
        assert runner.run(job_id) is None
        assert row(job_id)["state"] == "queued"
        assert runner._seat("t_of_another_tenant", seats)
    change(job_id, "state = 'sent', sent_at = now()")
    assert runner.run(job_id) == "done"
    assert not runner._tenants
    runner.close()
