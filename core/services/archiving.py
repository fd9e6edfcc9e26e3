"""PostgreSQL's settings for archiving its WAL, which begins with the first base backup."""

from __future__ import annotations

import shutil
from pathlib import Path

TIMEOUT_SECONDS = 300
"""The longest time before a change reaches the archive of an idle server."""


def settings_of(archive: str | None) -> str:
    """Return the lines of the server's settings that archive its WAL to a folder, or nowhere if ``archive`` is None.

    ``archive_mode`` can change only at a start, so it is always on. The command can change while the server runs.
    """
    if archive is None:
        return "archive_mode = on\narchive_command = 'true'\n"
    place = _quoted(archive)
    name = f'"{place}/%f'
    draft = f'"{place}/.%f.partial"'
    if shutil.which("gzip"):
        store, same = f'gzip -c "%p" > {draft}', f'gzip -dc {name}.gz" | cmp -s - "%p"'
        ending = ".gz"
    else:
        store, same, ending = f'cp "%p" {draft}', f'cmp -s {name}" "%p"', ""
    # A segment in the archive is archived again only after a crash, and must then be the same.
    command = f'if test -f {name}{ending}"; then {same}; else {store} && mv {draft} {name}{ending}"; fi'
    return f"archive_mode = on\narchive_timeout = {TIMEOUT_SECONDS}\narchive_command = {_literal(command)}\n"


def restore_settings(archive: Path, moment: str) -> str:
    """The settings of a server that recovers to ``moment`` from a base backup and the archive."""
    name = f'"{_quoted(str(archive))}/%f'
    command = f'if test -f {name}.gz"; then gzip -dc {name}.gz" > "%p"; else cp {name}" "%p"; fi'
    return (
        f"archive_mode = off\nrestore_command = {_literal(command)}\nrecovery_target_time = {_literal(moment)}\n"
        "recovery_target_action = 'promote'\nshared_buffers = '64MB'\nhot_standby = on\n"
    )


def _quoted(path: str) -> str:
    """A path within double quotes of the shell, in which the server replaces %p and %f.

    Raises:
        ValueError: it has a character that cannot be quoted safely.
    """
    if any(character in path for character in '"`$\\\n%'):
        message = 'the folder of backups must not have any of " ` $ \\ % in its path'
        raise ValueError(message)
    return path


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
