"""A version may be rolled back to exactly if it runs on the schema that the new version leaves."""

import json

import pytest

from core.cli.main import run
from core.errors import Invalid
from core.releases import compatibility
from core.releases.compatibility import Manifest, compare, present, read

SCRIPTS = {
    "platform": {"0001": None, "0002": None},
    "node": {"0001": None},
    "tenant": {"0001": None, "0002": None, "0003": "0002"},
}
"""Tree -> revision -> the oldest code that runs after it."""


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.setattr(compatibility, "revisions", lambda name: tuple(SCRIPTS[name]))
    monkeypatch.setattr(compatibility, "_oldest_code", lambda name, revision: SCRIPTS[name][revision])


def other(platform, tenant):
    return Manifest("0.1.0", {"platform": platform, "node": "0001", "tenant": tenant})


def test_steps_that_only_add_can_be_rolled_back(scripts):
    result = compare(other("0001", "0002"))
    assert [(step.tree, step.revision, step.survived) for step in result.steps] == [
        ("platform", "0002", True),
        ("tenant", "0003", True),
    ]
    assert result.can_roll_back


def test_code_that_reads_what_a_step_takes_away_does_not_run_after_it(scripts):
    result = compare(other("0002", "0001"))
    assert [(step.revision, step.oldest_code, step.survived) for step in result.steps] == [
        ("0002", None, True),
        ("0003", "0002", False),
    ]
    assert not result.can_roll_back


def test_a_version_with_newer_scripts_is_not_the_older_one(scripts):
    result = compare(other("0003", "0003"))
    assert (result.unknown, result.steps, result.can_roll_back) == (("platform",), (), False)


def test_the_commands_describe_this_version_and_compare_it_with_itself(tmp_path, capsys):
    assert run(["release", "describe"]) == 0
    file = tmp_path / "running.json"
    file.write_text(capsys.readouterr().out)
    assert read(file) == present()
    assert run(["release", "check", str(file)]) == 0
    assert "it can be rolled back to" in capsys.readouterr().out


def test_the_command_ends_with_1_for_a_version_that_cannot_be_rolled_back_to(scripts, tmp_path, capsys):
    file = tmp_path / "old.json"
    file.write_text(json.dumps(compatibility.as_json(other("0002", "0001"))))
    assert run(["release", "check", str(file), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["can_roll_back"] is False


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"format": 2, "version": "1", "heads": {}}', '{"format": 1, "heads": 3}']
)
def test_a_file_that_describes_no_release_is_rejected(text, tmp_path):
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(Invalid):
        read(file)
