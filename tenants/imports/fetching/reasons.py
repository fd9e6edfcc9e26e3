"""Why a fetch or a file of it failed: a sentence and a remedy for each code."""

from __future__ import annotations

from typing import Final

from core.errors import phrase

REASONS: Final[dict[str, tuple[str, str]]] = {
    "access_denied": (
        phrase("the source denies access"),
        phrase("check the credentials of the importer, and what they may read"),
    ),
    "address_not_allowed": (
        phrase("the address of the source may not be called"),
        phrase("use a public address, or ask the operator to allow the network"),
    ),
    "bad_answer": (phrase("the source gave no valid answer"), phrase("check the source; the fetch is repeated")),
    "bad_mapping": (phrase("the mapping of the source is not valid"), phrase("correct the mapping of the source")),
    "bad_settings": (
        phrase("the settings of the importer are not complete or not valid"),
        phrase("correct the settings of the importer"),
    ),
    "changed": (
        phrase("a file changed while it was fetched, or was not sent as a whole"),
        phrase("wait: it is fetched again"),
    ),
    "disabled": (phrase("the importer is disabled"), phrase("enable the importer")),
    "folder_not_allowed": (
        phrase("the folder is not one that this partner may read"),
        phrase("ask the operator to allow a folder, and use the partner's own folder in it"),
    ),
    "given_up": (phrase("the job of the fetch was given up"), phrase("fetch again")),
    "name_too_long": (phrase("the name of the file is too long"), phrase("rename the file")),
    "no_connection": (phrase("the source cannot be reached"), phrase("check the address; the fetch is repeated")),
    "no_instance": (phrase("the importer was removed"), phrase("set it up again")),
    "no_space": (
        phrase("the server has no space for the file"),
        phrase("ask the operator to make space; the fetch is repeated"),
    ),
    "not_found": (phrase("the place or the file is not there"), phrase("check the path or the address")),
    "not_importable": (phrase("the file cannot be imported"), phrase("correct the file or the format")),
    "paused": (
        phrase("calls to the source are paused, because it failed or is busy"),
        phrase("wait: the fetch is repeated"),
    ),
    "plugin_failed": (
        phrase("the importer's plugin failed"),
        phrase("look at the log of the instance; the fetch is repeated"),
    ),
    "plugin_missing": (phrase("the importer's plugin is not installed"), phrase("ask the operator to install it")),
    "rate_limited": (phrase("the source asks for fewer requests"), phrase("wait: the fetch is repeated")),
    "timeout": (phrase("the source took too long"), phrase("check the source; the fetch is repeated")),
    "too_large": (phrase("the file is larger than an upload may be"), phrase("split the file")),
    "too_many_files": (
        phrase("the place has too many files"),
        phrase("move old files away, or narrow the folder"),
    ),
    "wrong_host_key": (
        phrase("the server has another key than the importer expects"),
        phrase("ask the server's owner whether its key was changed; only then replace it in the settings"),
    ),
    "wrong_region": (phrase("the bucket is in another region"), phrase("correct the region of the importer")),
}
"""By code: what is wrong, and what to do."""

PASSING: Final = frozenset(
    {
        "bad_answer",
        "changed",
        "given_up",
        "no_connection",
        "no_space",
        "paused",
        "plugin_failed",
        "rate_limited",
        "timeout",
    }
)
"""What may be over at the next try: the fetch is repeated before its next scheduled time."""

OURS: Final = frozenset({"no_space", "paused"})
"""What the platform lacked or did not try: it says nothing about the importer. Why calls are paused was counted."""


def problem_of(code: str) -> str:
    """Return what is wrong, in a sentence; empty for no code."""
    return REASONS[code][0] if code in REASONS else code


def remedy_of(code: str) -> str:
    """Return what to do about it; empty for no code."""
    return REASONS[code][1] if code in REASONS else ""
