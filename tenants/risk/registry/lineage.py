"""What a model came from: the data it learnt from, the code that computed and fitted it, its settings and libraries."""

from __future__ import annotations

import hashlib
from dataclasses import fields
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenants.cohort.settings import CohortSettings
    from tenants.risk.dataset import Dataset
    from tenants.risk.settings import RiskSettings

DISTRIBUTION: Final = "iit-platform"
LIBRARIES: Final = ("numpy", "scipy", "lightgbm")
FOLDERS: Final = ("tenants/risk", "tenants/cohort", "plugins/additive", "plugins/boosting", "plugins/sdk")
"""Folders whose code decides the figures of a model."""


def lineage(
    data: Dataset, rules: CohortSettings, settings: RiskSettings, seed: int, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return where the models of a training come from.

    Args:
        data: all decisions that the training read.
        rules: the tenant's rules of the cohort.
        settings: the tenant's settings of training.
        seed: the seed of the training.
        parameters: kind of model -> the parameters that it was fitted with.
    """
    return {
        "data": {"sha256": fingerprint(data), "decisions": len(data), "facilities": len(data.facilities)},
        "code": {"version": _version(DISTRIBUTION), "sha256": code_fingerprint()},
        "libraries": {name: _version(name) for name in LIBRARIES},
        "rules": rules.model_dump(mode="json"),
        "settings": settings.model_dump(mode="json"),
        "seed": seed,
        "parameters": dict(parameters),
    }


def fingerprint(data: Dataset) -> str:
    """SHA-256 of all columns of a data set. Equal records, rules and code give the same one."""
    digest = hashlib.sha256()
    for each in fields(data):
        value = getattr(data, each.name)
        if isinstance(value, tuple):
            digest.update(repr([str(item) for item in value]).encode())
            continue
        array = np.ascontiguousarray(value)
        digest.update(f"{each.name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def code_fingerprint() -> str:
    """SHA-256 of the code that computes features, fits and measures."""
    root = Path(__file__).resolve().parents[3]
    digest = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            digest.update(f"{path.relative_to(root).as_posix()}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return ""
