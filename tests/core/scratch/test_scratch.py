"""Temporary folders go with the run that made them; those of a killed process go when a worker starts."""

import os
import subprocess
import sys

import pytest

from core import scratch
from core.settings import CHECKOUT

HOLD = """
import sys, time
from core import scratch
with scratch.run_folder("killed run"), scratch.temporary("features-") as folder:
    (folder / "features").write_text("of people")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def base(tmp_path, settings_of):
    settings_of(scratch_dir=tmp_path / "scratch")
    return tmp_path / "scratch"


def test_folders_of_a_run_go_with_it_whatever_happened(base):
    def killed_in_the_middle():
        with scratch.run_folder("a run"), scratch.temporary("a-") as folder:
            (folder.parent / "left behind").write_text("of people")
            assert folder.is_relative_to(base)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        killed_in_the_middle()
    assert not list(base.rglob("left behind"))


def test_nobody_else_may_look_into_them(base):
    with scratch.temporary("a-") as folder:
        for path in (base, folder.parent, folder.parent.parent):
            assert not path.stat().st_mode & 0o066
        assert not folder.stat().st_mode & 0o077


def test_what_a_killed_process_left_is_swept_and_what_a_live_one_uses_is_not(base):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    folder = process.stdout.readline().strip()
    with scratch.temporary("mine-") as mine:
        assert scratch.sweep() == 0
        assert os.path.exists(folder)  # noqa: PTH110 - as it was printed
        process.kill()
        process.wait()
        process.stdout.close()
        assert os.path.exists(folder)  # noqa: PTH110
        assert scratch.sweep() == 1
        assert not os.path.exists(folder)  # noqa: PTH110
        assert mine.exists()


def test_a_state_folder_that_is_made_for_it_is_nobody_elses_to_list(tmp_path, settings_of, monkeypatch):
    monkeypatch.delenv("IIT_SCRATCH_DIR")
    settings_of(state_dir=tmp_path / "state")
    with scratch.temporary("a-"):
        assert not (tmp_path / "state").stat().st_mode & 0o066
