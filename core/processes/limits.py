"""Limits that a process sets on itself before it does anything else.

The module imports nothing of the platform, so that a process can limit itself before it loads other code.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the system kill this process when the thread that started it ends (Linux only).

    Args:
        parent: number of the process that started this one. If it has already ended, this process ends at once.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def bind(limits: Mapping[int, int]) -> None:
    """Lower limits of this process for good; skips those that the system lacks.

    Args:
        limits: by ``resource.RLIMIT_...``.
    """
    for name, value in limits.items():
        hard = resource.getrlimit(name)[1]
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # macOS rejects a limit on memory
            resource.setrlimit(name, (bound, bound))
