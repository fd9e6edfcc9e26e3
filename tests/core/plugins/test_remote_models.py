"""A third-party model is loaded once, and computes in the process of its plugin and tenant, which outlives a call."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from core.database import TransactionOpenError, tenant_session
from core.errors import Invalid
from core.plugins import PluginFailed, PluginTimedOut, hosts, models, permissions, plugin_process
from core.plugins.confinement import USERS
from core.plugins.errors import CallFailedError
from core.plugins.hosts import CALLS, Host
from core.plugins.plugin_process import PluginProcess
from core.plugins.remote import RemoteModel
from plugins.sdk import FeatureSpec, seal

FEATURES = tuple(FeatureSpec(f"f{at}", "continuous") for at in range(3))
ROWS = np.arange(30.0).reshape(10, 3)


@dataclass
class Loaded:
    """A model of the hostile plugin for one tenant, and what the platform sent for it."""

    kind: RemoteModel
    sent: list[str]

    def load(self):
        """Return a model whose content nobody has loaded yet."""
        content = [feature.to_json() | {"description": uuid4().hex} for feature in FEATURES]
        return self.kind.load(seal("hostile/1", {"model.json": json.dumps(content).encode()}))

    @property
    def host(self):
        return Host("hostile_plugin", self.kind.tenant_id, models=True)


@pytest.fixture(scope="module")
def owners():
    """Two tenants. Processes are dear, so the tests share those of the first one."""
    yield [uuid4(), uuid4()]
    hosts.end_all()


@pytest.fixture
def loaded(hostile, owners, monkeypatch):
    """Returns a function: a model of this mood, of one of the tenants."""
    sent = []
    write = PluginProcess.write

    def noted(self, content, ending):
        sent.append(ending)
        return write(self, content, ending)

    monkeypatch.setattr(PluginProcess, "write", noted)
    monkeypatch.setattr(permissions, "is_allowed", lambda *_: True)
    return lambda mood, owner=0: Loaded(replace(models()[mood], tenant_id=owners[owner]), sent)


def pid_of(host):
    return hosts._processes[host].child.pid


def test_one_process_loads_a_model_once_and_computes_many_matrices(loaded):
    model = loaded("counts")
    fitted = model.load()
    first, calls = pid_of(model.host), CALLS.value("counts", "done")
    assert [fitted.predict(ROWS)[0] for _ in range(3)] == [0.01, 0.02, 0.03], "the loaded model is the same object"
    assert fitted.explain(ROWS).contributions.shape == ROWS.shape
    assert pid_of(model.host) == first
    assert model.sent == [".zip", ".npy", ".npy", ".npy", ".npy"]
    assert CALLS.value("counts", "done") == calls + 4
    left = {path.name for path in hosts._processes[model.host].folder.iterdir()}
    assert not {name for name in left if name.endswith((".npy", ".zip"))}, "no matrix stays behind"


def test_another_model_of_the_plugin_takes_its_place(loaded):
    model, other = loaded("counts"), loaded("counts_too")
    first, second, newer = model.load(), other.load(), model.load()
    for fitted in (first, second, newer, first):
        assert fitted.predict(ROWS)[0] == 0.01, "each was loaded anew"
    assert model.sent.count(".zip") == 7
    assert [each for each in hosts.running() if each.tenant_id == model.host.tenant_id] == [model.host]


def test_no_process_serves_two_tenants_and_models_leave_other_offers_their_own(loaded):
    model, neighbour = loaded("counts"), loaded("counts", 1)
    model.load()
    assert neighbour.load().predict(ROWS)[0] == 0.01
    others = Host("hostile_plugin", model.host.tenant_id)
    channel = hosts._take(others)
    assert len({channel.child.pid, pid_of(model.host), pid_of(neighbour.host)}) == 3
    hosts._give_back(others, channel, usable=False)


def test_a_kept_process_runs_as_another_user_where_the_platform_is_root(loaded):
    model = loaded("counts")
    model.load()
    user = Path(f"/proc/{pid_of(model.host)}").stat().st_uid
    assert user in (USERS if os.geteuid() == 0 else (os.geteuid(),))
    assert hosts._processes[model.host].folder.stat().st_uid == user


def test_rows_that_are_too_many_for_one_matrix_go_in_pieces(loaded, monkeypatch):
    fitted = loaded("counts").load()
    monkeypatch.setattr(hosts, "MATRIX_BYTES", 4 * 8 * 3)
    np.testing.assert_array_equal(fitted.predict(ROWS), np.repeat([0.01, 0.02, 0.03], [4, 4, 2]))
    assert fitted.explain(ROWS).contributions.shape == ROWS.shape
    assert fitted.predict(ROWS[:0]).shape == (0,)


@pytest.mark.parametrize("bases", [[[1.0]], [1.0, 2.0], [1.0, [1.0]], ["1"], [float("nan")], [1]])
def test_an_explanation_has_one_base(loaded, monkeypatch, bases):
    fitted = loaded("counts").load()
    answers = [({"base": base}, ROWS) for base in bases]
    monkeypatch.setattr(RemoteModel, "score", lambda *_: answers.pop(0))
    monkeypatch.setattr(hosts, "MATRIX_BYTES", 8 * 3 * -(-len(ROWS) // len(bases)))
    with pytest.raises(PluginFailed, match="without a base"):
        fitted.explain(ROWS)


@pytest.mark.parametrize("mood", ["predict_raises", "predict_exits", "predict_hangs"])
def test_a_model_that_fails_is_loaded_anew_for_the_next_call(loaded, mood, monkeypatch):
    model, healthy = loaded(mood), loaded("counts", 1).load()
    fitted = model.load()
    before, failed = pid_of(model.host), CALLS.value(mood, "failed")
    with monkeypatch.context() as patch, pytest.raises(PluginFailed) as raised:
        patch.setattr(hosts, "MODEL_SECONDS", 0.5 if mood == "predict_hangs" else 60.0)
        fitted.predict(ROWS)
    assert isinstance(raised.value, PluginTimedOut) == (mood == "predict_hangs")
    assert CALLS.value(mood, "failed") == failed + 1
    assert healthy.predict(ROWS)[0] == 0.01
    assert fitted.explain(ROWS).base == -1.0
    assert (pid_of(model.host) == before) == (mood == "predict_raises")


def test_a_matrix_that_the_plugin_rejects_is_no_failure_of_it(loaded):
    fitted = loaded("predict_rejects").load()
    for _ in range(7):  # more often than the breaker permits failures
        with pytest.raises(Invalid, match="max_widgets"):
            fitted.predict(ROWS)
    assert fitted.explain(ROWS).base == -1.0


def test_no_file_of_the_platform_follows_a_link_that_the_plugin_made(loaded, tmp_path, monkeypatch):
    model = loaded("counts")
    model.load()
    process = hosts._processes[model.host]
    victim = tmp_path / "victim"
    victim.write_text("whole")
    name = uuid4()
    (process.folder / f"{name.hex}.npy").symlink_to(victim)
    with monkeypatch.context() as patch, pytest.raises(FileExistsError):
        patch.setattr(plugin_process, "uuid4", lambda: name)
        process.write(b"content", ".npy")
    assert victim.read_text() == "whole"
    written = process.write(b"content", ".npy")
    assert written.stat().st_uid == process.folder.stat().st_uid
    written.unlink()


def test_a_model_that_blocks_its_files_has_failed_and_gets_another_process(loaded):
    model = loaded("blocks_the_result")
    fitted = model.load()
    before = pid_of(model.host)
    with pytest.raises(PluginFailed, match="files cannot be exchanged"):
        fitted.predict(ROWS)
    assert fitted.explain(ROWS).base == -1.0
    assert pid_of(model.host) != before


def test_the_output_of_a_process_is_read_from_no_file_that_the_plugin_put_in_its_place(loaded, tmp_path):
    model = loaded("counts")
    model.load()
    process, secret = hosts._processes[model.host], tmp_path / "secret"
    secret.write_text("secret")
    os.write(process.log.fileno(), b"printed")
    log = process.folder / "output.log"
    log.unlink()
    log.symlink_to(secret)
    assert process.output().endswith("printed")
    log.unlink()
    os.mkfifo(log)
    assert process.output().endswith("printed"), "a pipe would let the platform wait for ever"
    assert process.is_usable()


def test_a_model_is_not_called_within_a_transaction(loaded, module_tenant):
    fitted = loaded("counts").load()
    with tenant_session(module_tenant, actor="test:1"), pytest.raises(TransactionOpenError):
        fitted.predict(ROWS)


def test_a_model_that_fails_again_and_again_rests_for_its_tenant_alone(loaded):
    fitted = loaded("predict_raises").load()
    with pytest.raises(PluginFailed, match="not called for a while"):
        for _ in range(60):  # among the calls of other tests that succeeded
            with pytest.raises(CallFailedError):
                fitted.predict(ROWS)
    assert loaded("predict_raises", 1).load().explain(ROWS).base == -1.0
