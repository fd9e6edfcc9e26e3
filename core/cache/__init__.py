"""Answers that are dear to compute and often read, stored in Redis until an event says that they may have changed.

``read(session, CACHE, parts, compute)`` gives the stored answer, or computes and stores it. ``README.md`` in this
folder says what is promised.
"""

from core.cache.declaration import Cache, caches
from core.cache.reading import read

__all__ = ["Cache", "caches", "read"]
