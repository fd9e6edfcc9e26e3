"""In production, API and worker do not start with settings that are for trying and testing only."""

import base64
import secrets

import pytest
from structlog.testing import capture_logs

from core.cli.main import run as iit
from core.errors import Invalid
from core.installation.environment import check_environment
from core.settings import master_key
from core.startup import check_start

GOOD = {"environment": "production", "services_fsync": "true", "log_level": "info"}


def random_key():
    return base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"services_fsync": "false"}, "IIT_SERVICES_FSYNC"),
        ({"log_level": "debug"}, "IIT_LOG_LEVEL"),
        ({"master_key": ""}, "IIT_MASTER_KEY"),
        ({"master_key": base64.b64encode(bytes(32)).decode()}, "IIT_MASTER_KEY"),
        ({"master_key": base64.b64encode(b"a" * 32).decode()}, "IIT_MASTER_KEY"),
    ],
)
def test_each_unsafe_setting_is_rejected_by_name(settings_of, wrong, named):
    settings_of(**{**GOOD, "master_key": random_key(), **wrong})
    with pytest.raises(Invalid) as error:
        check_environment()
    assert [problem.field for problem in error.value.errors] == [named]
    assert "IIT_ENVIRONMENT" in error.value.detail


def test_safe_settings_pass_and_the_log_says_which_environment_it_is(settings_of):
    settings_of(**GOOD, master_key=random_key())
    with capture_logs() as logged:
        check_environment()
    named, warned = logged
    assert named["environment"] == "production"
    assert (warned["log_level"], warned["setting"]) == ("warning", "IIT_PUBLIC_URL")


@pytest.mark.parametrize("environment", ["development", "test"])
def test_elsewhere_everything_goes(settings_of, environment):
    settings_of(environment=environment, services_fsync="false", log_level="debug")
    check_environment()


def test_an_external_database_has_its_own_say_about_the_disk(settings_of):
    settings_of(**GOOD | {"services_fsync": "false"}, master_key=random_key(), database_url="postgresql://a:b@db/iit")
    check_environment()


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["worker"]])
def test_api_and_worker_do_not_start(database, settings_of, capsys, command):
    settings_of(environment="production", master_key=base64.b64encode(master_key()).decode())
    with pytest.raises(Invalid):
        check_start()
    assert iit(command) == 1
    assert "IIT_SERVICES_FSYNC" in capsys.readouterr().err
