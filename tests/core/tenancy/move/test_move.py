"""A tenant that is moved loses nothing, is in one place at a time, and works all the while but for a moment."""

import threading

import pytest

from core.app.factory import create_app
from core.audit import sealer as sealing
from core.audit.verify import verify
from core.database import TenantMoving, node_session, owner_connection, tenant_session
from core.errors import Conflict, Invalid, Unavailable
from core.jobs.worker import drain
from core.services.status import status
from core.tenancy import get_tenant, placing
from core.tenancy.move import service
from core.tenancy.shape import digests
from tests.core.tenancy.move.conftest import put, rows
from tests.keyed import KeyedClient


def digest_of(ref, **options):
    with owner_connection(ref.database) as connection:
        return digests(connection, ref.schema_name, **options)


def test_a_tenant_in_another_database_works_as_in_the_first(east, make):
    new_tenant = make(database=east)
    assert get_tenant(new_tenant.ref.slug).database == east
    with tenant_session(new_tenant.ref, actor="test:1") as session:
        put(session, "a")
    assert rows(new_tenant.ref, "SELECT current_database()") == [("iit_east",)]


def test_further_databases_are_shown_among_the_services(east):
    shown = {service.name: (service.mode, service.running) for service in status()}
    assert shown["postgresql east"] == ("embedded", True)


def test_one_process_serves_a_tenant_before_and_after_its_move(east, make):
    new_tenant = make()
    with KeyedClient(create_app(), headers={"Authorization": f"Bearer {new_tenant.api_key}"}) as client:
        assert client.post("/v1/facilities", json={"datim_id": "FacAaa00001", "name": "Aaa"}).status_code == 201
        for place in (east, "default"):
            sealing.seal(get_tenant(new_tenant.ref.slug))
            service.move(new_tenant.ref.slug, place)
            answer = client.get("/v1/facilities")
            assert (answer.status_code, [row["name"] for row in answer.json()["items"]]) == (200, ["Aaa"])
        assert client.post("/v1/facilities", json={"datim_id": "FacAaa00002", "name": "Bbb"}).status_code == 201
    sealing.seal(get_tenant(new_tenant.ref.slug))
    checked = verify(get_tenant(new_tenant.ref.slug))
    assert (checked.problems, checked.pending) == ([], 0)
    assert checked.seals >= 3


def test_an_unknown_database_is_named(east, make):
    with pytest.raises(Invalid) as rejected:
        make(database="west")
    assert [error.field for error in rejected.value.errors] == ["database"]
    with pytest.raises(Invalid, match="west"):
        service.move(make().ref.slug, "west")


def test_every_acknowledged_write_of_a_move_is_there_afterwards_and_back_again(east, make, writing):
    slug = make().ref.slug
    writers = [writing(slug), writing(slug)]
    for place in (east, "default"):
        began = [writer.count for writer in writers]
        moved = service.move(slug, place)
        assert moved.ref.database == get_tenant(slug).database == place
        assert [writer.count for writer in writers] > began, "they wrote meanwhile"
    for writer in writers:
        writer.stopping.set()
        writer.join()
        writer.check(get_tenant(slug))
    assert placing.retired(get_tenant(slug).id) == []
    assert drain(get_tenant(slug), most=5) >= 5, "jobs run where the tenant is"


def test_the_copy_has_equal_checksums_and_numbers_on(east, make):
    ref = make().ref
    with tenant_session(ref, actor="test:1") as session:
        for number in range(50):
            put(session, f"k{number}", {"n": number})
    before = digest_of(ref)
    moved = service.move(ref.slug, east)
    assert digest_of(moved.ref, but={"audit_events"}) == {k: v for k, v in before.items() if k != "audit_events"}
    assert moved.rows == sum(content.rows for content in before.values())
    assert rows(moved.ref, "SELECT action FROM audit_events") == [("cli:tenant:move",)]


def test_while_writers_are_held_reads_go_on_and_writes_are_to_come_again(east, make):
    ref = make().ref
    with tenant_session(ref, actor="test:1") as session:
        put(session, "before")
    with placing.fence(ref, patience=5):
        assert rows(ref, "SELECT key FROM tenant_settings") == [("before",)]
        with tenant_session(ref, actor="test:1") as session, session.cursor() as cursor:
            assert cursor.execute("SELECT count(*) FROM tenant_settings").fetchone() == (1,)
        with pytest.raises(TenantMoving) as rejected, tenant_session(ref, actor="test:1") as session:
            put(session, "meanwhile")
        assert (rejected.value.status, rejected.value.retry_after) == (503, 1)
    with tenant_session(ref, actor="test:1") as session:
        put(session, "after")


def test_a_transaction_under_way_is_waited_for_and_counted(east, make):
    ref = make().ref
    writing, go = threading.Event(), threading.Event()

    def slow():
        with tenant_session(ref, actor="test:1") as session:
            put(session, "slow")
            writing.set()
            go.wait(30)

    thread = threading.Thread(target=slow)
    thread.start()
    writing.wait(30)
    with pytest.raises(Unavailable, match="writing for over"), placing.fence(ref, patience=0.1):
        pytest.fail("held while one writes")
    threading.Timer(0.3, go.set).start()
    with placing.fence(ref, patience=30):
        assert rows(ref, "SELECT key FROM tenant_settings") == [("slow",)]
    thread.join()


def test_who_remembers_the_old_place_is_rejected_there_for_ever(east, make):
    old = make().ref
    service.move(old.slug, east, grace=service.timedelta(days=1))
    for readonly in (True, False):
        with pytest.raises(TenantMoving), tenant_session(old, actor="test:1", readonly=readonly) as session:
            put(session, "lost")
    with owner_connection() as connection:
        assert connection.execute(f'SELECT count(*) FROM "{old.schema_name}".tenant_settings').fetchone() == (0,)  # noqa: S608


def test_the_old_schema_is_kept_for_as_long_as_was_said(east, make):
    old = make().ref
    moved = service.move(old.slug, east, grace=service.timedelta(days=1))
    assert moved.retained == old.schema_name
    assert placing.drop_retired(old.id) == []
    assert placing.drop_retired(old.id, early=True) == [old.schema_name]
    with owner_connection() as connection:
        assert connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (old.role_name,)).rowcount == 0
    assert rows(moved.ref, "SELECT count(*) FROM tenant_keys") == [(3,)]


def test_a_move_to_where_it_is_and_one_to_elsewhere_meanwhile_are_rejected(east, make):
    ref = make().ref
    with pytest.raises(Conflict, match="already"):
        service.move(ref.slug, "default")


def test_a_running_job_goes_on_in_the_new_place(east, make, ask):
    ref = make().ref
    steps = []

    def two_steps(context, _payload):
        with context.session() as session:
            put(session, f"step-{context.tenant.database}")
        steps.append(context.tenant.database)
        if context.tenant.database == "default":
            service.move(ref.slug, east)
        with context.session() as session:
            put(session, "end")

    job_id = ask(ref, two_steps)
    drain(ref)
    there = get_tenant(ref.slug)
    with node_session(east) as session:
        cursor = session.connection().exec_driver_sql(
            "SELECT state, attempts, interruptions FROM node.jobs WHERE id = %s", (job_id,)
        )
        assert cursor.fetchall() == [("queued", 0, 0)]
    drain(there)
    assert steps == ["default", "east"]
    assert rows(there, "SELECT state FROM node.jobs WHERE id = %s", job_id) == [("done",)]
    assert {key for (key,) in rows(there, "SELECT key FROM tenant_settings")} == {"step-default", "step-east", "end"}
