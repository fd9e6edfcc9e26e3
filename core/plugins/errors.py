"""Errors of plugins and their models. Messages never contain output of a plugin."""

from __future__ import annotations

from core.errors import AppError


class PluginFailed(AppError):  # noqa: N818 - named as the family is
    """A plugin raised, exited, or gave an unreadable answer."""

    status = 502
    slug = "plugin-failed"
    title = "A plugin did not do its work"
    hint = (
        "Tell the operator the plugin's name: it can be removed, replaced or tested with the contract tests of the SDK."
    )


class PluginTimedOut(PluginFailed):
    """A plugin was stopped at its time limit."""

    status = 504
    slug = "plugin-timed-out"
    title = "A plugin was stopped at its time limit"
    hint = "Fit on fewer decisions, or give it more time."


class OtherVersionError(PluginFailed):
    """The plugin is written for another major version of the hooks."""


class PluginBusy(PluginFailed):
    """A plugin was not called, because too many of its calls are under way. It is no failure of the plugin."""


class CallFailedError(PluginFailed):
    """A call of a third-party plugin failed.

    Attributes:
        output: the end of what its process wrote.
        error: the type of what the plugin raised; empty if it gave no answer.
        message: of what it raised.
    """

    def __init__(self, detail: str, output: str = "", error: str = "", message: str = "") -> None:
        super().__init__(detail)
        self.output = output
        self.error = error
        self.message = message


class ArtifactRejected(AppError):  # noqa: N818 - named as the family is
    """Stored bytes are not a model: damaged, changed, or of another kind."""

    slug = "artifact-rejected"
    title = "A stored model cannot be read"
    hint = "Restore the file from a backup, or train the model again."
