"""The documentation tells the truth: its examples run, and its links lead somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.examples import ROOT, Example, examples, pages, run

if TYPE_CHECKING:
    from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)")
EXECUTED = [page for page in pages() if examples(page.read_text(encoding="utf-8"))]


def test_there_are_executed_examples() -> None:
    assert EXECUTED


@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_executed_example_does_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    folder, state = tmp_path / "work", tmp_path / "state"
    folder.mkdir()
    try:
        for example in examples(page.read_text(encoding="utf-8")):
            good, output = run(example, folder=folder, state=state)
            assert good, f"$ {example.command}\n{output}\n--- the page shows ---\n{example.expected}"
    finally:
        run(Example("iit services stop", ""), folder=folder, state=state)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target or target.startswith("mailto:"):
            continue
        assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}, which is not there"


def test_a_page_whose_example_fails_is_caught(tmp_path: Path) -> None:
    assert not run(Example("false", ""), folder=tmp_path, state=tmp_path)[0]
    assert not run(Example("echo one", "two"), folder=tmp_path, state=tmp_path)[0]
    assert run(Example("echo one two three", "one ... three"), folder=tmp_path, state=tmp_path)[0]
