"""The documentation tells the truth: its examples run, and its links lead somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.examples import ROOT, SET_UP, Example, examples, pages, run, shell_of

if TYPE_CHECKING:
    from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s#]+)(?:#[^)]*)?\)")
EXECUTED = [page for page in pages() if examples(page.read_text(encoding="utf-8"))]


def test_there_are_executed_examples() -> None:
    assert EXECUTED


@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_executed_example_does_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    shell = shell_of(text, tmp_path)
    try:
        for example in examples(text):
            good, output = run(example, shell)
            assert good, f"$ {example.command}\n{output}\n--- the page shows ---\n{example.expected}"
    finally:
        run(Example("iit services stop", ""), shell)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target or target.startswith("mailto:"):
            continue
        assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}, which is not there"


def test_a_page_whose_example_fails_is_caught(tmp_path: Path) -> None:
    shell = shell_of("", tmp_path)
    assert not run(Example("false", ""), shell)[0]
    assert not run(Example("echo one", "two"), shell)[0]
    assert run(Example("echo one two three", "one ... three"), shell)[0]


def test_the_examples_get_what_the_first_block_of_the_page_leaves_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IIT_EXAMPLES", "/nowhere")
    tutorial = (ROOT / "docs" / "tutorials" / "first-list.md").read_text(encoding="utf-8")
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    shell = shell_of(tutorial, tmp_path / "with")
    assert run(
        Example("ls $IIT_EXAMPLES/simulated-cohort.yaml; command -v iit; ls", "/...simulated-cohort.yaml\n/...iit"),
        shell,
    )[0]
    assert run(Example("echo .$IIT_EXAMPLES.", ".."), shell_of(SET_UP.sub("", tutorial), tmp_path / "without"))[0]
