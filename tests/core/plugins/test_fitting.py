"""A plugin's process is contained: whatever it does, there is an artifact or an error that names the plugin."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from core import scratch
from core.errors import Invalid, NotFound
from core.plugins import PluginFailed, PluginTimedOut, failures, fit_in_process, models
from core.plugins.process import RUN_VARIABLE
from core.resilience import deadline


def processes(of: str) -> list[str]:
    """Command lines of the running processes that contain a text and were started by a plugin's run."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode()
            started_by_a_run = f"{RUN_VARIABLE}=".encode() in path.with_name("environ").read_bytes()
        except OSError:
            continue
        if of in line and started_by_a_run:
            lines.append(line)
    return lines


def test_first_party_models_are_fitted_apart_as_they_are_here(data):
    apart = fit_in_process("additive", data, {"max_bins": 8}, 3)
    model = models()["additive"]

    local = model.fit(data, {"max_bins": 8}, 3)

    assert apart == local
    assert model.load(apart).predict(data.X).shape == (400,)


def test_a_third_party_model_fits_scores_and_explains(hostile, data):
    artifact = fit_in_process("well_behaved", data, {}, 0, 60)
    model = models()["well_behaved"].load(artifact)

    assert model.features == data.features
    np.testing.assert_array_equal(model.predict(data.X), 0.25)
    assert model.explain(data.X).contributions.shape == data.X.shape


def test_it_is_told_nothing_of_the_platform(hostile, data, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:secret@db/iit")
    monkeypatch.setenv("IIT_MASTER_KEY", "c2VjcmV0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    report = json.loads(fit_in_process("tell", data, {}, 0, 60).files["told.json"])

    ours = {name for name in report["environment"] if name.startswith(("IIT_", "DATABASE", "REDIS", "AWS"))}
    assert ours == {"IIT_PLUGIN_RUN"}
    assert "secret" not in json.dumps(report)
    assert set(report["folder"]) == {"X.npy", "y.npy", "group.npy", "request.json", "output.log", "home"}


@pytest.mark.parametrize("mood", ["hang", "hang_with_children"])
def test_it_is_killed_at_its_limit_with_all_it_started(hostile, data, mood):
    before = time.monotonic()

    with pytest.raises(PluginTimedOut, match="stopped after 3 seconds") as raised:
        fit_in_process(mood, data, {}, 0, 3)

    assert raised.value.status == 504
    assert time.monotonic() - before < 60, "it hangs for ten minutes when nobody kills it"
    assert not processes("sleep 600")
    assert failures() == {("hostile_plugin", "fit"): 1}


@pytest.mark.parametrize("mood", ["leave_a_daemon", "leave_a_thread", "print_garbage"])
def test_what_it_leaves_behind_or_prints_does_not_matter(hostile, data, mood):
    artifact = fit_in_process(mood, data, {}, 0, 60)

    assert artifact.format == "hostile/1"
    assert not processes("sleep 600")


@pytest.mark.parametrize(
    ("mood", "message"),
    [
        ("exit_quietly", "SystemExit"),
        ("exit_at_once", r"without an answer \(exit status 0\)"),
        ("crash", "killed by SIGSEGV"),
        ("fill_the_disk", "OSError"),
        ("raise_error", r"RuntimeError: secret \[31m line line$"),
        ("raise_deep", "RecursionError"),
        ("forge_a_reply", "no artifact"),
        ("forge_garbage", "cannot be read"),
        ("forge_a_huge_reply", "cannot be read"),
        ("link_to_a_secret", "no artifact"),
        ("leave_a_pipe", "no artifact"),
        ("answer_by_a_pipe", "cannot be read"),
        ("pickle", "ArtifactRejected"),
        ("no_artifact", "AttributeError"),
    ],
)
def test_every_other_failure_names_the_plugin_and_is_counted(hostile, data, mood, message):
    with pytest.raises(PluginFailed, match=message) as raised:
        fit_in_process(mood, data, {}, 0, 60)

    assert "hostile_plugin" in raised.value.detail
    assert raised.value.remedy
    assert failures() == {("hostile_plugin", "fit"): 1}


def test_memory_is_limited(hostile, data):
    with pytest.raises(PluginFailed, match="MemoryError"):
        fit_in_process("eat_memory", data, {}, 0, 60, memory_bytes=1024**3)


def test_what_the_caller_did_wrong_is_the_callers(hostile, data):
    with pytest.raises(Invalid, match="max_widgets must be above zero"):
        fit_in_process("reject", data, {}, 0, 60)
    with pytest.raises(NotFound, match="no_such_model"):
        fit_in_process("no_such_model", data, {}, 0)

    assert not failures()


@pytest.mark.parametrize("mood", ["wrong_shape", "not_probabilities", "nan_predictions"])
def test_scores_that_are_none_are_rejected(hostile, data, mood):
    model = models()[mood].load(fit_in_process(mood, data, {}, 0, 60))

    with pytest.raises(PluginFailed):
        model.predict(data.X)
    if mood != "not_probabilities":
        with pytest.raises(PluginFailed):
            model.explain(data.X)


def test_nothing_is_left_in_the_temporary_folder(hostile, data, tmp_path, settings_of):
    settings_of(scratch_dir=tmp_path)

    with scratch.run_folder("run"):
        fit_in_process("well_behaved", data, {}, 0, 60)
        with pytest.raises(PluginFailed):
            fit_in_process("exit_at_once", data, {}, 0, 60)
        (run,) = tmp_path.glob("*/run")
        assert list(run.iterdir()) == []

    assert not run.exists()


def test_it_is_killed_at_the_deadline_of_its_request_or_job(hostile, data):
    with deadline(0.0):
        assert "hang" in models(), "what a plugin offers is asked whatever is left of the deadline"
        with pytest.raises(PluginTimedOut, match="stopped after 0 seconds"):
            fit_in_process("hang", data, {}, 0, 600)
