"""Each measure holds by itself: for root as for an ordinary user, and in what the process starts."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from core.processes import confined
from core.settings import CHECKOUT

ATTEMPT = """
import json, os, socket, subprocess, sys

def tried(act):
    try:
        act()
    except (OSError, subprocess.CalledProcessError) as error:
        return type(error).__name__
    return None

secret, port = json.loads(os.environ["ATTEMPT"])
print(json.dumps({
    "read": tried(lambda: open(secret).read()),
    "read by a child": tried(lambda: subprocess.run(["cat", secret], check=True, capture_output=True)),
    "write": tried(lambda: open("/tmp/of-a-confined-process", "w")),
    "write here": tried(lambda: open("mine", "w").write("mine")),
    "connect": tried(lambda: socket.create_connection(("127.0.0.1", port), 10)),
    "large file": tried(lambda: open("large", "wb").write(bytes(2_000_000))),
    "memory": tried(lambda: bytearray(8 << 30)) if not sys.platform == "darwin" else "MemoryError",
}))
"""


@pytest.fixture
def folder():
    """A folder that every user reaches, with a secret beside it that every user could read."""
    with tempfile.TemporaryDirectory(prefix="iit-tests-confined-") as name:
        base = Path(name)
        base.chmod(0o755)
        (base / "secret").write_text("secret")
        (base / "own").mkdir()
        (base / "own").chmod(0o777)
        (base / "own" / "attempt.py").write_text(ATTEMPT.replace("OSError,", "OSError, MemoryError,"))
        yield base


def run(folder, module, *, become, port=1, **options):
    limits = confined.limits_of(memory_bytes=4 << 30, cpu_seconds=60, file_bytes=1_000_000, processes=None)
    system = [path for path in ("/usr", "/lib", "/lib64", "/bin", "/etc", "/proc/self") if Path(path).exists()]
    read = [*system, sys.prefix, sys.base_prefix, str(CHECKOUT / "core")]
    specification = {
        "parent": os.getpid(),
        "limits": limits,
        "user": become,
        "reach": become is not None,
        "read": read,
        "write": [str(folder / "own"), "/dev/null"],
    }
    done = subprocess.run(
        [sys.executable, "-m", "core.processes.confined", json.dumps(specification), module],
        cwd=folder / "own",
        env={
            "PYTHONPATH": f"{CHECKOUT}{os.pathsep}{folder / 'own'}",
            "ATTEMPT": json.dumps([str(folder / "secret"), port]),
            "PATH": os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        check=True,
        **options,
    )
    return json.loads(done.stdout)


def cases():
    """Who starts it and who it becomes: root can be tried as somebody else, too."""
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    mine = [pytest.param(None, {}, id="as the user that it is")]
    others = [pytest.param(61_184, {}, id="root, as another user")] if os.geteuid() == 0 else []
    if others and all(folder.stat().st_mode & 0o001 for folder in Path(sys.base_prefix).parents):
        others.append(pytest.param(None, nobody, id="an ordinary user"))
    return mine + others


@pytest.mark.parametrize(("become", "options"), cases())
def test_what_is_not_given_to_a_confined_process_it_cannot_use(folder, become, options):
    measures = run(folder, confined.PROBE, become=become, **options)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        outcomes = run(folder, "attempt", become=become, port=listener.getsockname()[1], **options)
    assert outcomes.pop("write here") is None
    assert outcomes.pop("large file") == "OSError"
    assert outcomes.pop("memory") == "MemoryError"
    expected = {"connect": confined.NETWORK, **dict.fromkeys(("read", "read by a child", "write"), confined.FILES)}
    for attempt, measure in expected.items():
        assert outcomes[attempt] or measure not in measures, (attempt, outcomes)
    if become is not None:
        assert confined.USER in measures


@pytest.mark.parametrize("machine", sorted(confined._CALLS))
def test_the_filter_of_calls_jumps_to_where_it_means_to(machine):
    """Run by an interpreter of its own: each call that is named is rejected, as is any other machine's; others pass."""
    architecture, calls = confined._CALLS[machine]
    steps = confined.filter_of(architecture, calls)

    def verdict(number, arch):
        place, value = 0, 0
        while True:
            code, yes, no, operand = steps[place]
            place += 1
            if code == confined._LOAD:
                value = {0: number, 4: arch}[operand]
            elif code == confined._EQUAL:
                place += yes if value == operand else no
            elif code == confined._AT_LEAST:
                place += yes if value >= operand else no
            else:
                return operand

    assert all(verdict(call, architecture) == confined._REJECT for call in (*calls, confined._X32 + 1))
    assert all(verdict(call, architecture) == confined._ALLOW for call in range(600) if call not in calls)
    assert verdict(0, architecture + 1) == confined._REJECT


def test_a_process_dies_with_whoever_started_it(tmp_path):
    child = (
        "import os, time; from core.processes import die_with_parent; die_with_parent(os.getppid());"
        "open('ready', 'w').close(); time.sleep(600)"
    )
    parent = (
        "import pathlib, subprocess, sys, time;"
        f"p = subprocess.Popen([sys.executable, '-c', {child!r}]);"
        "r = pathlib.Path('ready');"
        "exec('while not r.exists(): time.sleep(0.02)');"
        "print(p.pid)"
    )
    environment = {"PYTHONPATH": str(CHECKOUT), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [sys.executable, "-c", parent], cwd=tmp_path, env=environment, capture_output=True, check=True, text=True
    )
    number = int(done.stdout)
    for _ in range(600):
        try:
            state = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        subprocess.run(["sleep", "0.05"], check=True)
    pytest.fail("it lives on")
