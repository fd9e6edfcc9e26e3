"""Confinement of foreign code: ``python -m core.processes.confined SPEC MODULE`` runs a module.

The process gives up what it does not need before it imports the module: its user, its privileges, the network, and
every file but those named. It takes each measure that the system offers; with ``--probe`` in place of the module it
prints them. It imports nothing of the platform and no numpy, because running threads would keep what the process gives
up.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import resource
import runpy
import struct
import sys
from typing import TYPE_CHECKING, Any

from core.processes.limits import bind, die_with_parent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROBE = "--probe"
USER, FILES, NETWORK, CALLS = "user", "files", "network", "calls"

_CLONE_NEWNET = 0x40000000
_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 4, 8, 22, 38, 47
_CAP_AMBIENT_RAISE = 2
_CAP_DAC_READ_SEARCH = 2
_CAPABILITIES = 0x20080522
_SECCOMP_MODE_FILTER = 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446

# Rights of Landlock by the version that brought them.
_READ = 0b1101
"""Rights of Landlock to execute, to read a file and to list a folder."""
_FILE = 0b0111 | 1 << 14 | 1 << 15
"""Rights of Landlock that a rule about a single file may grant."""
_FILESYSTEM = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
_NET, _SCOPED = 0b11, 0b11

# What is rejected: sockets, and the calls that reach around that or into other processes.
_CALLS: dict[str, tuple[int, tuple[int, ...]]] = {
    # socket, ptrace, mount, add_key, keyctl, unshare, perf_event_open, open_by_handle_at, setns, process_vm_readv and
    # writev, bpf, userfaultfd, io_uring_setup
    "x86_64": (0xC000003E, (41, 101, 165, 248, 250, 272, 298, 304, 308, 310, 311, 321, 323, 425)),
    "aarch64": (0xC00000B7, (198, 117, 40, 217, 219, 97, 241, 265, 268, 270, 271, 280, 282, 425)),
}
_X32 = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _REJECT = 0x7FFF0000, 0x00050000 | errno.EPERM


def confine(spec: Mapping[str, Any]) -> list[str]:
    """Confine this process as far as the system allows; return the measures taken.

    Args:
        spec: ``parent``: number of the parent process. ``limits``: by number of the resource. ``user``: number of the
        user to become, or None. ``reach``: whether that user may read the ``read`` files of other users, which needs
        the measures ``files`` and ``calls``. ``read`` and ``write``: the allowed paths; ``write`` allows both.
    """
    if sys.platform != "linux":
        bind({int(name): value for name, value in spec["limits"].items()})
        return []
    done = []
    alone = os.geteuid() == 0 and _libc().unshare(_CLONE_NEWNET) == 0
    bind({int(name): value for name, value in spec["limits"].items()})
    if spec["user"] is not None and _become(int(spec["user"])):
        done.append(USER)
    _keep_capability(reach=spec["reach"])
    # After the change of user, which clears it.
    die_with_parent(int(spec["parent"]))
    bare = _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    if bare and _restrict_files(spec["read"], spec["write"]):
        done.append(FILES)
    if bare and _reject_calls():
        done.append(CALLS)
    if alone or CALLS in done:
        done.append(NETWORK)
    if not {FILES, CALLS} <= set(done):
        _keep_capability(reach=False)
    return done


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _become(user: int) -> bool:
    """Change to a user that owns nothing; its group has the same number."""
    _libc().prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    try:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    except OSError:
        return False
    # What belongs to the process under /proc belongs to root since the change, unless it is said again.
    _libc().prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    return True


def _keep_capability(*, reach: bool) -> None:
    """Drop every capability, also for children. With ``reach``, keep the one to read other users' files."""
    retained = 1 << _CAP_DAC_READ_SEARCH if reach else 0
    libc = _libc()
    libc.capset(struct.pack("=Ii", _CAPABILITIES, 0), struct.pack("=6I", retained, retained, retained, 0, 0, 0))
    if retained:
        libc.prctl(_PR_CAP_AMBIENT, _CAP_AMBIENT_RAISE, _CAP_DAC_READ_SEARCH, 0, 0)


def _restrict_files(read: Sequence[str], write: Sequence[str]) -> bool:
    """Use Landlock: deny files outside these paths, TCP, and signals to other processes."""
    libc = _libc()
    version = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    handled = sum(rights for since, rights in _FILESYSTEM.items() if since <= version)
    attributes = struct.pack("=QQQ", handled, _NET, _SCOPED)[: 8 if version < 4 else 16 if version < 6 else 24]  # noqa: PLR2004 - as above
    ruleset = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        for paths, rights in ((read, _READ), (write, handled)):
            for path in paths:
                _allow(libc, ruleset, path, rights & handled)
        return bool(libc.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # a missing path is not needed
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - nothing more is imported than is needed
            rights &= _FILE
        libc.syscall(_ADD_RULE, ruleset, 1, struct.pack("=Qi", rights, beneath), 0)
    finally:
        os.close(beneath)


def _reject_calls() -> bool:
    """Use a filter of system calls that rejects sockets of any kind."""
    known = _CALLS.get(platform.machine())
    if known is None:
        return False
    steps = filter_of(*known)
    program = b"".join(struct.pack("=HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(steps), ctypes.addressof(buffer))
    return bool(_libc().prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, header, 0, 0) == 0)


def filter_of(architecture: int, calls: Sequence[int]) -> list[tuple[int, int, int, int]]:
    """The filter's steps: code, steps to skip when true, when false, operand. Calls that are not named are allowed."""
    last = len(calls) + 5
    return [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 0, last - 2, architecture),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, last - 4, 0, _X32),
        *((_EQUAL, len(calls) - place, 0, call) for place, call in enumerate(calls)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _REJECT),
    ]


def main(arguments: Sequence[str]) -> int:
    """Confine this process, then run the module, or print the measures."""
    spec, module = json.loads(arguments[0]), arguments[1]
    done = confine(spec)
    if module == PROBE:
        sys.stdout.write(json.dumps(done))
        return 0
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


def limits_of(*, memory_bytes: int, cpu_seconds: int, file_bytes: int, processes: int | None) -> dict[int, int]:
    """Return the limits for a specification.

    ``processes`` counts all processes of a user, so give it only if the run has its own user.
    """
    limits = {
        resource.RLIMIT_AS: memory_bytes,
        resource.RLIMIT_CPU: cpu_seconds,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_CORE: 0,
    }
    return limits if processes is None else {**limits, resource.RLIMIT_NPROC: processes}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
