"""``iit simulate`` writes what it says, and rejects what cannot be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tenants.demo.simulate_command import simulate_command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("form", "files"), [("generic", 3), ("lamisplus", 1)])
def test_it_writes_the_files_it_names_and_says_that_they_are_simulated(form: str, files: int, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        simulate_command, [str(tmp_path), "--people", "50", "--facilities", "2", "--form", form, "--json"]
    )
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["simulated"] is True
    assert len(answer["files"]) == files
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(name.rsplit("/", 1)[1] for name in answer["files"])


def test_a_cohort_of_nobody_is_rejected(tmp_path: Path) -> None:
    result = CliRunner().invoke(simulate_command, [str(tmp_path), "--people", "0"])
    assert result.exit_code == 2
    assert "--people" in result.stderr
