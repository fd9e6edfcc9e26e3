"""A hostile plugin reads no key, reaches no database and no network; what a system cannot keep it from is said."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from core import plugins, scratch
from core.plugins import confinement, fit_in_process
from core.plugins.confinement import CALLS, FILES, NETWORK, SECRETS, USER, USERS, gaps
from core.settings import get_settings, master_key
from core.settings.load import FILE_VARIABLE

ATTEMPTS = {
    FILES: (
        "read the master key",
        "read it by another program",
        "read the passwords",
        "list the state folder",
        "read the settings",
        "read the platform's environment",
        "write elsewhere",
    ),
    NETWORK: ("reach the database", "reach Redis", "reach the network"),
    USER: ("become root", "stop the platform"),
}


@pytest.fixture(scope="module")
def attacked(hostile, services):
    """What a plugin found that tries everything: its user, and attempt -> error, None where it went well."""
    import numpy as np

    from plugins.sdk import FeatureSpec, TrainingData

    master_key()  # makes the file, where there is none yet
    data = TrainingData(np.zeros((4, 1)), np.array([0, 1, 0, 1]), np.arange(4), (FeatureSpec("f", "continuous"),))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        params = {
            "state": str(get_settings().state_dir),
            "settings": os.environ[FILE_VARIABLE],
            "parent": os.getpid(),
            "database": urlsplit(services.database_url).port,
            "redis": urlsplit(services.redis_url).port,
            "listener": listener.getsockname()[1],
        }
        for port in (params["database"], params["redis"], params["listener"]):
            socket.create_connection(("127.0.0.1", port)).close()
        artifact = fit_in_process("attack", data, params, 0, 60)
    return json.loads(artifact.files["told.json"])


@pytest.mark.parametrize("measure", [FILES, NETWORK, USER])
def test_a_hostile_plugin_fails_at_each_attempt_or_the_gap_is_warned_of(attacked, measure):
    outcomes = {name: attacked["found"][name] for name in ATTEMPTS[measure]}
    if confinement.GAPS[measure] in gaps():
        with capture_logs() as lines:
            plugins.reload()
            plugins.models()
        (warning,) = [line for line in lines if line["event"] == "plugins_not_confined"]
        assert confinement.GAPS[measure] in warning["gaps"]
        assert warning["remedy"]
    else:
        assert all(outcomes.values()), outcomes


def test_a_platform_that_runs_as_root_has_no_gap_and_a_user_for_each_run(attacked):
    if os.geteuid() == 0:
        assert gaps() == ()
        assert attacked["user"] in USERS
    else:
        assert confinement.GAPS[USER] in gaps()
        assert attacked["user"] == os.geteuid()


def test_what_holds_secrets_is_its_owners_alone(services):
    master_key()
    state = get_settings().state_dir
    for name in ("master.key", "services.json"):
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
    assert not stat.S_IMODE(state.stat().st_mode) & 0o066, "nobody else may list it"


@pytest.mark.parametrize(
    ("done", "left"),
    [
        ([USER, FILES, NETWORK], ()),
        ([FILES, NETWORK], (confinement.GAPS[USER],)),
        ([USER, FILES], (confinement.GAPS[NETWORK],)),
        ([], (*confinement.GAPS.values(), SECRETS)),
    ],
)
def test_what_could_not_be_taken_from_a_plugin_is_said(monkeypatch, done, left):
    class Probe:
        returncode = 0
        stdout = json.dumps(done)

    monkeypatch.setattr(confinement.subprocess, "run", lambda *_args, **_options: Probe)
    gaps.cache_clear()
    try:
        assert gaps() == left
    finally:
        gaps.cache_clear()


def test_a_user_that_cannot_reach_the_modules_is_taken_on_only_where_files_are_confined(tmp_path, monkeypatch):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    limits = {"memory_bytes": 1 << 30, "cpu_seconds": 10, "file_bytes": 1 << 20}
    root = os.geteuid() == 0
    for measures, taken_on in (((FILES, CALLS), root), ((FILES,), False), ((), False)):
        monkeypatch.setattr(confinement, "_measures", lambda measures=measures: measures)
        with scratch.temporary("test-") as folder:
            rules = confinement.confinement(folder, limits, python_path=[private])
        assert (rules.user is not None) == taken_on
        assert json.loads(rules.specification)["reach"] == taken_on


def test_no_rule_opens_a_folder_that_holds_secrets(tmp_path):
    hidden = tmp_path / "tree" / "state"
    (hidden / "inner").mkdir(parents=True)
    (tmp_path / "tree" / "code").mkdir()
    (tmp_path / "tree" / "link").symlink_to(hidden)
    (tmp_path / "tree" / "module.py").touch()
    allowed = set(confinement._without(tmp_path / "tree", [hidden]))
    assert allowed == {tmp_path / "tree" / "code", tmp_path / "tree" / "module.py"}
    assert list(confinement._without(hidden / "inner", [hidden])) == []
    assert list(confinement._without(tmp_path / "tree" / "code", [hidden])) == [Path(tmp_path / "tree" / "code")]
