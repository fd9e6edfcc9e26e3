"""Subjects of commits are short; and the rule catches a long one, in every kind of checkout."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.architecture import commits, lints

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


def test_every_subject_since_the_rule_fits_on_a_line() -> None:
    assert list(commits.too_long(commits.subjects(lints.ROOT))) == []


def test_a_long_subject_is_caught_and_one_at_the_limit_is_not() -> None:
    assert list(commits.too_long(["x" * 72])) == []
    assert [line.split(" in ")[0] for line in commits.too_long(["x" * 73])] == ["73 characters"]


def test_only_commits_after_the_given_one_are_read(repository: Path) -> None:
    first = git(repository, "rev-list", "--max-parents=0", "HEAD").strip()
    assert commits.subjects(repository, first) == ["third", "second"]


def test_a_shallow_clone_without_the_given_commit_gives_its_newest(repository: Path, tmp_path: Path) -> None:
    first = git(repository, "rev-list", "--max-parents=0", "HEAD").strip()
    git(tmp_path, "clone", "--quiet", "--depth=2", repository.as_uri(), "shallow")
    assert commits.subjects(tmp_path / "shallow", first) == ["third"]


def test_an_archive_has_none_also_inside_another_repository(repository: Path, tmp_path: Path) -> None:
    inner = repository / "unpacked"
    inner.mkdir()
    assert commits.subjects(inner) == []
    assert commits.subjects(tmp_path) == []


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of three commits."""
    path = tmp_path / "repository"
    git(tmp_path, "init", "--quiet", "repository")
    for subject in ("first", "second", "third"):
        git(path, *IDENTITY, "commit", "--quiet", "--allow-empty", "-m", subject)
    return path


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout
