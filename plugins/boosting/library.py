"""Loads LightGBM when it is first needed, and keeps its waiting threads from using the processor."""

from __future__ import annotations

import os
from types import ModuleType


def lightgbm() -> ModuleType:
    """Return the library.

    Its threads spin while they wait for each other. That is fast on an idle machine. On a busy one it is ten times
    slower, because the thread that they wait for is not running. OpenMP reads the policy once, when it is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import lightgbm as library

    return library
