"""Plugins: found by entry points, and run one by one in their own process. Their models are data.

Importing this package loads no plugin and nothing heavy.
"""

from core.plugins.artifacts import pack, unpack
from core.plugins.errors import ArtifactRejected, PluginFailed, PluginTimedOut
from core.plugins.fitting import fit_in_process
from core.plugins.manager import failures, models, reload

__all__ = [
    "ArtifactRejected",
    "PluginFailed",
    "PluginTimedOut",
    "failures",
    "fit_in_process",
    "models",
    "pack",
    "reload",
    "unpack",
]
