"""Loads LightGBM when it is first needed, and keeps its waiting threads from using the processor."""

from __future__ import annotations

import os
from types import ModuleType


def lightgbm() -> ModuleType:
    """Return the library, with threads that sleep while they wait for each other.

    By default they spin. That is fast on an idle machine, and ten times slower on a busy one, where the thread that
    they wait for is not running. OpenMP reads the policy once, when it is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import lightgbm as library

    return library
