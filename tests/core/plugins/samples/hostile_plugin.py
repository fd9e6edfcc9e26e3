"""A plugin that does, on request, everything that a plugin must not do. Each of its models misbehaves in one way."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from plugins.sdk import Artifact, BadDataError, Explanation, hookimpl, seal

IIT_SDK = 1
FORMAT = "hostile/1"


class Fitted:
    def __init__(self, mood, features):
        self.mood, self.features = mood, features

    def summary(self):
        return {}

    def predict(self, X):  # noqa: N803
        if self.mood == "predict_hangs":
            hang()
        if self.mood == "predict_exits":
            os._exit(3)
        if self.mood == "predict_raises":
            raise_error()
        if self.mood == "predict_rejects":
            reject()
        if self.mood == "blocks_the_result":
            request = sys._getframe(1).f_locals["request"]
            Path(request["result"], "full").mkdir(parents=True)
        if self.mood in {"counts", "counts_too"}:
            self.calls = getattr(self, "calls", 0) + 1
            return np.full(len(X), self.calls / 100)
        answers = {
            "wrong_shape": np.full((len(X), 2), 0.5),
            "not_probabilities": np.full(len(X), 1.5),
            "nan_predictions": np.full(len(X), np.nan),
        }
        return answers.get(self.mood, np.full(len(X), 0.25))

    def explain(self, X):  # noqa: N803
        contributions = np.zeros((len(X), 9)) if self.mood == "wrong_shape" else np.zeros(X.shape)
        return Explanation(float("nan") if self.mood == "nan_predictions" else -1.0, contributions)


def hang():
    time.sleep(600)


def hang_with_children():
    # One child in the group, one that leaves it as a daemon would.
    for command in (["sleep", "600"], ["setsid", "sleep", "600"]):
        subprocess.Popen(command)
    time.sleep(600)


def leave_a_daemon():
    subprocess.Popen(["setsid", "sleep", "600"])


def exit_quietly():
    sys.exit(0)


def exit_at_once():
    os._exit(0)


def crash():
    ctypes.string_at(0)


def print_garbage():
    for stream in (1, 2):
        os.write(stream, b'{"ok": true}\n\x00\xff' * 50_000)
    sys.stdout.write("garbage" * 10_000)


def fill_the_disk():
    with Path("huge.bin").open("wb") as file:
        file.writelines(bytes(1_000_000) for _ in range(10_000))


def eat_memory():
    hoard = []
    while True:
        hoard.append(np.ones(10_000_000))


def raise_error():
    raise RuntimeError("secret\x1b[31m line\nline")


def raise_deep():
    raise_deep()


def reject():
    raise BadDataError("max_widgets must be above zero")


def forge_a_reply():
    Path("reply.json").write_text(json.dumps({"ok": True, "result": None}))
    os._exit(0)


def forge_garbage():
    Path("reply.json").write_bytes(b"[" * 100_000)
    os._exit(0)


def forge_a_huge_reply():
    Path("reply.json").write_bytes(b" " * 10_000_000)
    os._exit(0)


def link_to_a_secret():
    Path("artifact.zip").symlink_to("/etc/passwd")
    Path("reply.json").write_text(json.dumps({"ok": True, "result": None}))
    os._exit(0)


def leave_a_thread():
    threading.Thread(target=time.sleep, args=(600,)).start()


def leave_a_pipe():
    os.mkfifo("artifact.zip")
    Path("reply.json").write_text(json.dumps({"ok": True, "result": None}))
    os._exit(0)


def answer_by_a_pipe():
    os.mkfifo("reply.json")
    os._exit(0)


def attack(params):
    """Everything that would break out; name -> None where it went well, else the error."""

    def connect(port):
        with socket.create_connection(("127.0.0.1", int(port)), timeout=10):
            pass

    def run(*command):
        subprocess.run(command, check=True, capture_output=True)

    state, parent = Path(params["state"]), int(params["parent"])
    attempts = {
        "read the master key": (state / "master.key").read_bytes,
        "read it by another program": lambda: run("cat", str(state / "master.key")),
        "read the passwords": (state / "services.json").read_bytes,
        "list the state folder": lambda: list(state.iterdir()),
        "read the settings": lambda: Path(params["settings"]).read_bytes(),
        "read the platform's environment": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
        "write elsewhere": lambda: Path("../stray").write_text("stray"),
        "reach the database": lambda: connect(params["database"]),
        "reach Redis": lambda: connect(params["redis"]),
        "reach the network": lambda: connect(params["listener"]),
        "become root": lambda: os.setuid(0),
        "stop the platform": lambda: os.kill(parent, signal.SIGCONT),
    }
    outcomes = {}
    for name, attempt in attempts.items():
        try:
            attempt()
        except (OSError, subprocess.CalledProcessError) as error:
            outcomes[name] = type(error).__name__
        else:
            outcomes[name] = None
    return outcomes


class Model:
    version = "1"

    def __init__(self, mood):
        self.name = mood

    def fit(self, data, params, seed):
        if self.name == "attack":
            return seal(FORMAT, {"told.json": json.dumps({"user": os.getuid(), "found": attack(params)}).encode()})
        if self.name == "tell":
            report = {
                "environment": dict(os.environ),
                "folder": sorted(path.name for path in Path.cwd().iterdir()),
                "arguments": sys.argv,
            }
            return seal(FORMAT, {"told.json": json.dumps(report).encode()})
        if self.name == "pickle":
            return Artifact(FORMAT, {"model.bin": b"\x80\x04."})
        if self.name == "no_artifact":
            return {"weights": [1, 2]}
        act = globals().get(self.name)
        if act is not None:
            act()
        features = [feature.to_json() for feature in data.features]
        return seal(FORMAT, {"model.json": json.dumps(features).encode()})

    def load(self, artifact):
        from plugins.sdk import FeatureSpec

        if self.name == "load_hangs":
            hang()
        features = json.loads(artifact.files["model.json"])
        return Fitted(self.name, tuple(FeatureSpec.from_json(feature) for feature in features))


MOODS = (
    "well_behaved", "tell", "hang", "hang_with_children", "leave_a_daemon", "exit_quietly", "exit_at_once", "crash",
    "print_garbage", "fill_the_disk", "eat_memory", "raise_error", "raise_deep", "reject", "forge_a_reply",
    "forge_garbage", "forge_a_huge_reply", "link_to_a_secret", "leave_a_pipe",
    "answer_by_a_pipe", "attack", "leave_a_thread", "pickle", "no_artifact", "wrong_shape",
    "not_probabilities", "nan_predictions", "predict_hangs", "predict_exits", "predict_raises", "predict_rejects",
    "counts", "counts_too", "blocks_the_result",
)  # fmt: skip


@hookimpl
def iit_models(context):
    return [Model(mood) for mood in MOODS]
