"""Exchange of files between the platform and a plugin's process: arrays and JSON in a private folder, never pickles."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path
from typing import IO, Any

import numpy as np

from plugins.sdk import FeatureSpec, TrainingData

REQUEST = "request.json"
REPLY = "reply.json"
ARTIFACT = "artifact.zip"
MAX_REPLY = 256 * 1024
ARRAYS = ("X", "y", "group", "X_val", "y_val")


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401 - any JSON
    """Write a JSON file completely or not at all."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(value))
    draft.replace(path)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array of numbers."""
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def array_bytes(array: np.ndarray) -> bytes:
    """Return an array of numbers as the content of a file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def read_bytes(path: Path, *, most: int | None = None) -> bytes:
    """The content of a file that a plugin wrote. Links and pipes are rejected.

    Raises:
        OSError: it is missing, no regular file, or larger than ``most``.
    """
    with _opened(path, most) as file:
        return file.read()


def read_array(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Read a float64 array of exactly this shape.

    Raises:
        ValueError: it has another shape or type, or is not an array; Python objects are never unpickled.
        OSError: it cannot be read, or is larger than the array would be.
    """
    with _opened(path, int(np.prod(shape)) * 8 + 4096) as file:
        array = np.load(file, allow_pickle=False)
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype != np.float64:
        message = f"the array must be float64 of shape {shape}"
        raise ValueError(message)
    return array


def _opened(path: Path, most: int | None) -> IO[bytes]:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode) or (most is not None and facts.st_size > most):
        os.close(descriptor)
        message = f"{path.name} is not a regular file, or is too large"
        raise OSError(message)
    return os.fdopen(descriptor, "rb")


def write_data(folder: Path, data: TrainingData) -> list[dict[str, Any]]:
    """Write the training data's arrays; returns the features as JSON."""
    for name in ARRAYS:
        array = getattr(data, name)
        if array is not None:
            write_array(folder / f"{name}.npy", array)
    return [feature.to_json() for feature in data.features]


def read_data(folder: Path, features: list[dict[str, Any]]) -> TrainingData:
    """The training data that :func:`write_data` wrote."""
    arrays: dict[str, Any] = {}
    for name in ARRAYS:
        path = folder / f"{name}.npy"
        arrays[name] = np.load(path, allow_pickle=False) if path.exists() else None
    return TrainingData(features=tuple(FeatureSpec.from_json(feature) for feature in features), **arrays)
