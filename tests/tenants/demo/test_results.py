"""``iit results`` writes a page of what was measured, and nothing when what was asked for is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tenants.demo.results import KNOWN, results

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("database")
def test_without_a_data_folder_the_page_tells_the_simulated_cohort_alone(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    answer = CliRunner().invoke(results, ["--page", str(page), "--people", "150"])
    assert answer.exit_code == 0, answer.stderr
    text = page.read_text(encoding="utf-8")
    assert "Simulated cohort" in text
    assert "nobody in it exists" in text
    assert "too young to train" in text
    for known in KNOWN:
        assert known.title not in text


def test_a_data_folder_without_any_known_data_set_is_rejected_before_the_page_is_touched(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    answer = CliRunner().invoke(results, ["--data", str(tmp_path), "--page", str(page)])
    assert answer.exit_code == 2
    assert "none of the known data sets" in answer.stderr
    assert not page.exists()


def test_a_data_folder_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    answer = CliRunner().invoke(results, ["--data", str(tmp_path / "nowhere")])
    assert answer.exit_code == 2
    assert "--data" in answer.stderr
