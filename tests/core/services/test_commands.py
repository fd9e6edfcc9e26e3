"""``iit services`` as an operator calls it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

from core.cli.main import run

if TYPE_CHECKING:
    import pytest

    from tests.core.services.conftest import Place


def test_start_status_stop_and_reset(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with place.environment():
        assert run(["services", "status"]) == 1
        assert "stopped" in capsys.readouterr().out
        assert run(["services", "start", "--json"]) == 0
        started = json.loads(capsys.readouterr().out)["services"]
        assert [(service["name"], service["running"]) for service in started] == [
            ("postgresql", True),
            ("valkey", True),
        ]
        assert run(["services", "status", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["services"] == started
        assert run(["services", "stop"]) == 0
        assert capsys.readouterr().out == "stopped: valkey, postgresql\n"
        assert run(["services", "stop", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"stopped": []}
        assert run(["services", "reset", "--yes", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"reset": True}
    assert not (place.folder / "services").exists()


def test_reset_that_is_not_confirmed_deletes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    place.folder.mkdir()
    (place.folder / "services.json").write_text("{}")
    with place.environment():
        assert run(["services", "reset"]) == 1
    assert (place.folder / "services.json").exists()
    assert "stopped" in capsys.readouterr().err
