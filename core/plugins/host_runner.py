"""The main module of a kept plugin's process, which ``core.processes.confined`` runs confined in a private folder.

It imports the plugin once, then answers one line of JSON for each line that it gets, until its input ends.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.metadata import EntryPoint
from typing import Any

MAX_MESSAGE = 300


def main() -> int:
    """Answer requests until there are no more."""
    # The plugin gets neither pipe as its input or output: what it prints goes to the log beside its errors.
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    from core.plugins.hook_calls import call_method, find_candidate
    from core.plugins.manager import GROUP

    offers: dict[tuple[str, str], Any] = {}
    for line in requests:
        request = json.loads(line)
        try:
            is_model = request["kind"] == "model"
            key = ("model", "") if is_model else (request["kind"], request["name"])
            point = EntryPoint(request["plugin"], request["reference"], GROUP)
            if key not in offers:
                offers[key] = _no_model() if is_model else find_candidate(point, *key)
            if is_model:
                result = offers[key].perform(point, request)
            else:
                result = call_method(offers[key], request["kind"], request["method"], request["arguments"])
            reply = {"id": request["id"], "ok": True, "result": result}
            encoded = json.dumps(reply)
        except BaseException as error:  # noqa: BLE001 - whatever a plugin raises, SystemExit too, becomes its answer
            text = "".join(each if each.isprintable() else " " for each in str(error))[:MAX_MESSAGE]
            encoded = json.dumps({"id": request["id"], "ok": False, "error": type(error).__name__, "message": text})
        answers.write(encoded.encode() + b"\n")
        answers.flush()
    os._exit(0)  # without the threads and exit handlers that the plugin left behind


def _no_model() -> Any:  # noqa: ANN401 - imported late, because it needs numpy
    from core.plugins.model_runner import LoadedModel

    return LoadedModel()


if __name__ == "__main__":
    sys.exit(main())
