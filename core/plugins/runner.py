"""The main module of a plugin's process, which ``core.processes.confined`` runs confined in a private folder.

It reads ``request.json``, imports the plugin, and writes ``reply.json``. It has no database, no keys, and none of the
platform's environment.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

MAX_MESSAGE = 300


def main() -> int:
    """Perform the request in the current folder; return 0 when a reply was written."""
    folder = Path.cwd()
    # Keep the plugin's output out of the answer.
    os.dup2(2, 1)
    request = json.loads((folder / "request.json").read_text())
    from core.plugins.exchange import REPLY, write_json

    try:
        operation = OPERATIONS[request["operation"]]
        reply = {"ok": True, "result": operation(folder, request)}
    except BaseException as error:  # noqa: BLE001 - whatever a plugin raises, SystemExit too, becomes its answer
        reply = {"ok": False, "error": type(error).__name__, "message": _message(error)}
    write_json(folder / REPLY, reply)
    # Exit without the threads and exit handlers that the plugin left behind.
    os._exit(0)


def _message(error: BaseException) -> str:
    text = "".join(character if character.isprintable() else " " for character in str(error))
    return text[:MAX_MESSAGE]


def _models(request: Mapping[str, Any]) -> list[Any]:
    from core.plugins.manager import GROUP, call_iit_models

    return call_iit_models(EntryPoint(request["plugin"], request["reference"], GROUP))


def _describe(_folder: Path, request: Mapping[str, Any]) -> Any:  # noqa: ANN401
    return [{"name": str(model.name), "version": str(model.version)} for model in _models(request)]


def _offers(_folder: Path, request: Mapping[str, Any]) -> Any:  # noqa: ANN401
    from core.plugins.hook_calls import describe_offers
    from core.plugins.manager import GROUP

    return describe_offers(EntryPoint(request["plugin"], request["reference"], GROUP))


def _fit(folder: Path, request: Mapping[str, Any]) -> Any:  # noqa: ANN401
    from core.plugins.artifacts import pack
    from core.plugins.exchange import ARTIFACT, read_data
    from core.plugins.manager import GROUP
    from core.plugins.model_runner import find_model

    data = read_data(folder, request["features"])
    point = EntryPoint(request["plugin"], request["reference"], GROUP)
    artifact = find_model(point, request["model"]).fit(data, request["params"], request["seed"])
    (folder / ARTIFACT).write_bytes(pack(artifact))
    return None


OPERATIONS: Mapping[str, Callable[[Path, Mapping[str, Any]], Any]] = {
    "describe": _describe,
    "offers": _offers,
    "fit": _fit,
}

if __name__ == "__main__":
    sys.exit(main())
