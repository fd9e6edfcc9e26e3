"""A process with another master key than the installation's is rejected before anything is written with it."""

import base64
import secrets

import pytest
from sqlalchemy import text

from core.cli.main import run as iit
from core.database import owner_session, platform_session
from core.errors import NotFound
from core.installation import check_master_key
from core.installation.master_key import MasterKeyWrong
from core.settings import master_key
from core.tenancy import create_tenant, describe_tenant


@pytest.fixture
def other_key():
    return base64.b64encode(secrets.token_bytes(32)).decode()


def kids():
    with platform_session() as session:
        return set(session.scalars(text("SELECT kid FROM platform.master_key_checks")))


def test_the_same_key_passes_and_is_remembered_once(database):
    check_master_key()
    known = kids()
    check_master_key()
    assert kids() == known


def test_another_key_is_rejected_with_what_to_do(database, settings_of, other_key):
    check_master_key()
    known = kids()
    settings_of(master_key=other_key)
    with pytest.raises(MasterKeyWrong) as error:
        check_master_key()
    assert "IIT_MASTER_KEY" in error.value.remedy
    assert other_key not in str(error.value)
    assert kids() == known


def test_the_new_key_of_a_rotation_passes_where_the_previous_one_is_right(database, settings_of, other_key):
    check_master_key()
    present = base64.b64encode(master_key()).decode()
    settings_of(master_key=other_key, master_key_previous=present)
    check_master_key()
    settings_of(master_key=other_key, master_key_previous=base64.b64encode(secrets.token_bytes(32)).decode())
    check_master_key()  # the new key is known by now


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["worker"]])
def test_api_and_worker_do_not_start_with_another_key(database, settings_of, other_key, capsys, command):
    check_master_key()
    settings_of(master_key=other_key)
    assert iit(command) == 1
    error_text = capsys.readouterr().err
    assert "master key" in error_text
    assert "Traceback" not in error_text


@pytest.mark.parametrize(
    "command",
    [["tenant", "create", "wrong-key"], ["backup", "--all", "--to", "TMP"], ["backup", "SLUG", "--to", "TMP/f"]],
)
def test_nothing_is_sealed_with_another_key(tenant, settings_of, other_key, capsys, tmp_path, command):
    check_master_key()
    settings_of(master_key=other_key)
    words = [word.replace("TMP", str(tmp_path)).replace("SLUG", tenant.slug) for word in command]
    assert iit(words) == 1
    assert "master key" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(NotFound):
        describe_tenant("wrong-key")


def test_the_first_key_must_be_that_of_the_tenants_which_are_there(own_services, settings_of, other_key):
    create_tenant("here-already", "Partner")
    with owner_session() as session:
        session.execute(text("DELETE FROM platform.master_key_checks"))
    settings_of(master_key=other_key)
    with pytest.raises(MasterKeyWrong):
        check_master_key()
    assert kids() == set()
