"""The master key is rotated by one command: for all tenants of all databases, resumed where it was cut off."""

import base64
import json
import os
import secrets
from uuid import uuid4

import pyotp
import pytest
from sqlalchemy import text

from core.audit.platform import acts
from core.cli.main import run
from core.clock import now
from core.database import tenant_session
from core.database.upgrade import migrate
from core.identity.people import factor_codes, links, members, second_factor
from core.identity.people.sign_in import complete_with_code, sign_in
from core.installation import check_master_key
from core.installation.master_key import MasterKeyWrong
from core.privacy import master, tenant_keys, vault
from core.services.manager import add_database
from core.settings import environment_name, get_settings, master_key
from core.tenancy import create_tenant, rewrapping

NAME = "Amina"
PASSWORD = "seven green bicycles in the rain"
HOME = "192.0.2.1"


@pytest.fixture(scope="module")
def fleet(own_services):
    """Two tenants in the first database and one in another."""
    add_database("east")
    migrate()
    check_master_key()
    return [
        create_tenant("one", "One").ref,
        create_tenant("two", "Two").ref,
        create_tenant("east", "East", database="east").ref,
    ]


@pytest.fixture
def rotate(monkeypatch):
    """Sets a new master key, with the present one as the previous; gives the present one."""

    def change(*, previous=True):
        present = base64.b64encode(master_key()).decode()
        monkeypatch.setenv("IIT_MASTER_KEY", base64.b64encode(secrets.token_bytes(32)).decode())
        if previous:
            monkeypatch.setenv("IIT_MASTER_KEY_PREVIOUS", present)
        get_settings.cache_clear()
        tenant_keys.forget()
        return present

    yield change
    if "IIT_MASTER_KEY" not in os.environ:
        return
    # what the next test finds in the state folder is the key that the last one ended with
    (get_settings().state_dir / "master.key").write_text(base64.b64encode(master_key()).decode(), encoding="ascii")
    for name in ("master_key", "master_key_previous"):
        monkeypatch.delenv(environment_name(name), raising=False)
    get_settings.cache_clear()
    tenant_keys.forget()


def kids(tenant):
    with tenant_session(tenant, actor="test:1") as session:
        return set(session.scalars(text("SELECT master_kid FROM tenant_keys")))


def test_all_tenants_are_rewrapped_and_the_old_key_is_not_needed_any_more(fleet, rotate, monkeypatch, capsys):
    patient, row = uuid4(), uuid4()
    with tenant_session(fleet[0], actor="test:1") as session:
        sealed = vault(session).encrypt(patient, "patients", "given_name", row, NAME)
    old = rotate()
    assert run(["keys", "rewrap", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["tenants"], report["changed"], report["keys"], report["failed"]) == (3, 3, 9, {})
    monkeypatch.delenv("IIT_MASTER_KEY_PREVIOUS")
    get_settings.cache_clear()
    tenant_keys.forget()
    assert [kids(tenant) for tenant in fleet] == [{master.current()[0]}] * 3
    with tenant_session(fleet[0], actor="test:1") as session:
        assert vault(session).decrypt(patient, "patients", "given_name", row, sealed) == NAME
    (act, *_) = acts(limit=1)
    assert (act["action"], act["detail"]["keys"]) == ("cli:keys:rewrap", 9)
    # A process that still has the old key alone is rejected from now on.
    new = base64.b64encode(master_key()).decode()
    monkeypatch.setenv("IIT_MASTER_KEY", old)
    get_settings.cache_clear()
    with pytest.raises(MasterKeyWrong):
        check_master_key()
    monkeypatch.setenv("IIT_MASTER_KEY", new)
    get_settings.cache_clear()
    assert run(["keys", "rewrap"]) == 0
    assert "3 tenants had it already" in capsys.readouterr().out


def test_second_factors_are_sealed_by_the_new_key_and_still_sign_in(fleet, rotate, monkeypatch):
    email = "rotated@example.org"
    person = members.add_member(fleet[0], email, "Person", members.Grant(["viewer"]), actor="test:1")
    link = links.create_link(person, links.INVITATION, actor="test:1", tenant_id=fleet[0].id)
    links.use_link(link.path.removeprefix(links.PATH), PASSWORD)
    started = sign_in(email, PASSWORD, address=HOME, device="test")
    second_factor.begin_set_up(person, second_factor.Proof(PASSWORD, "", HOME))
    app = pyotp.TOTP(second_factor.set_up_of(person).secret)
    step = int(now().timestamp()) // factor_codes.STEP_SECONDS
    second_factor.confirm(person, app.generate_otp(step), started.id, "test")
    rotate()
    assert rewrapping.rewrap_all(actor="test:1").failed == {}
    monkeypatch.delenv("IIT_MASTER_KEY_PREVIOUS")
    get_settings.cache_clear()
    tenant_keys.forget()
    assert second_factor.reseal_all() == 0, "nothing is left that the old key sealed"
    waiting = sign_in(email, PASSWORD, address=HOME, device="test")
    assert complete_with_code(waiting.secret, app.generate_otp(step + 1), address=HOME).tenant_id == fleet[0].id


def test_a_run_that_is_cut_off_is_resumed_by_the_next(fleet, rotate):
    rotate()

    def stop(slug):
        raise KeyboardInterrupt(slug)

    with pytest.raises(KeyboardInterrupt):
        rewrapping.rewrap_all(actor="test:1", progress=stop)
    assert sum(kids(tenant) == {master.current()[0]} for tenant in fleet) == 1
    with tenant_session(fleet[1], actor="test:1") as session:
        vault(session).ensure_patient_keys([uuid4()])  # everybody works meanwhile
    done = rewrapping.rewrap_all(actor="test:1")
    assert (done.tenants, done.changed, done.failed) == (3, 2, {})


def test_without_the_previous_key_nothing_is_changed(fleet, rotate):
    before = [kids(tenant) for tenant in fleet]
    old = rotate(previous=False)
    with pytest.raises(MasterKeyWrong):
        rewrapping.rewrap_all(actor="test:1")
    assert [kids(tenant) for tenant in fleet] == before
    (get_settings().state_dir / "master.key").write_text(old, encoding="ascii")
    os.environ["IIT_MASTER_KEY"] = old
    get_settings.cache_clear()


def test_a_tenant_whose_keys_do_not_open_is_named_and_holds_up_nobody(fleet, rotate, capsys):
    with tenant_session(fleet[1], actor="test:1") as session:
        wrapped_key = session.execute(text("SELECT wrapped_key FROM tenant_keys WHERE purpose = 'blob'")).scalar()
        session.execute(text("UPDATE tenant_keys SET wrapped_key = 'x' WHERE purpose = 'blob'"))
    rotate()
    assert run(["keys", "rewrap"]) == 3
    output = capsys.readouterr()
    assert "two: " in output.err
    assert "of 2 tenants" in output.out
    with tenant_session(fleet[1], actor="test:1") as session:
        session.execute(text("UPDATE tenant_keys SET wrapped_key = :key WHERE purpose = 'blob'"), {"key": wrapped_key})
    assert run(["keys", "rewrap"]) == 0
