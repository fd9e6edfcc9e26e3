"""What commands print: the answer on standard output, all else on standard error."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest
from pydantic import BaseModel

from core.cli import output
from core.cli.output import Progress, print_json, print_table


class Colour(Enum):
    RED = "red"


class Model(BaseModel):
    day: date


@dataclass
class Pair:
    left: UUID
    right: tuple[int, ...]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": date(2026, 3, 1)}, {"a": "2026-03-01"}),
        ([datetime(2026, 3, 1, 8, tzinfo=UTC)], ["2026-03-01T08:00:00+00:00"]),
        ([Decimal("1.10"), UUID(int=1), Path("a/b")], ["1.10", "00000000-0000-0000-0000-000000000001", "a/b"]),
        ([Colour.RED, {3, 1, 2}], ["red", [1, 2, 3]]),
        (Pair(UUID(int=2), (1, 2)), {"left": "00000000-0000-0000-0000-000000000002", "right": [1, 2]}),
        ([Model(day=date(2026, 3, 1))], [{"day": "2026-03-01"}]),
        ([np.float64(0.5), np.int64(3), np.array([1, 2])], [0.5, 3, [1, 2]]),
        ({"name": "Ọláyínká"}, {"name": "Ọláyínká"}),
    ],
)
def test_every_kind_of_value_has_one_form(value: object, expected: object, capsys: pytest.CaptureFixture[str]) -> None:
    print_json(value)
    output = capsys.readouterr()
    assert json.loads(output.out) == expected
    assert output.err == ""


@pytest.mark.parametrize("value", [object(), float("nan")])
def test_what_has_no_form_in_json_is_rejected(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        print_json(value)


def test_a_table_is_aligned_with_numbers_to_the_right(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"name": "Kano", "on_art": 12345, "late": 0.5}, {"name": "Jos", "on_art": 7, "late": None}]
    print_table(rows, ["name", "on_art", "late"])
    assert capsys.readouterr().out == ("name  on art  late\nKano  12,345   0.5\nJos        7\n")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress counts as slow from its first moment."""

    class Now(threading.Timer):
        def start(self) -> None:
            self.function(*self.args, **self.kwargs)

    monkeypatch.setattr(threading, "Timer", Now)
    monkeypatch.setattr(output, "_LINE_SECONDS", 0.0)


def test_what_is_quick_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("Scoring", total=2) as progress:
        progress.advance()
        progress.advance()
    assert capsys.readouterr() == ("", "")


def test_what_is_slow_says_how_far_it_is_on_standard_error(at_once: None, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("Scoring") as progress:
        progress.advance(10)
        progress.update(500, total=2000, text="clinic 3")
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines() == [
        "Scoring ...",
        "Scoring: 10",
        "Scoring: clinic 3: 500 of 2,000 (25%)",
        "Scoring: done",
    ]


def test_progress_that_fails_does_not_say_done(at_once: None, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), Progress("Scoring"):
        raise ZeroDivisionError
    assert "done" not in capsys.readouterr().err


def test_on_a_terminal_a_bar_is_drawn_on_standard_error(
    at_once: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress("Scoring", total=4) as progress:
        progress.advance(2)
        bar = progress._bar
        assert bar is not None
        assert bar.tasks[0].completed == 2
    assert bar.finished is False
    assert capsys.readouterr().out == ""
