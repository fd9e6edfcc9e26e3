"""Sources of knowledge: a folder of the server, and a list of addresses."""

from plugins.sdk import PluginContext, RagSource, hookimpl
from plugins.sources.folder import FolderSource
from plugins.sources.https import HttpsSource

IIT_SDK = 1


@hookimpl
def iit_rag_sources(context: PluginContext) -> list[RagSource]:  # noqa: ARG001 - it has no settings
    """Return the sources."""
    return [FolderSource(), HttpsSource()]
