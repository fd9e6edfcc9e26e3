"""What the embedded PostgreSQL is told about its WAL: kept in a folder once base backups are made, else left to it."""

from __future__ import annotations

import shutil
from pathlib import Path

TIMEOUT_SECONDS = 300
"""The longest that a change waits to be in the archive on a server that has little to do."""


def settings_of(archive: str | None) -> str:
    """The lines of the server's settings that archive to the folder ``archive``, or nowhere.

    ``archive_mode`` can be set only at a start, so it always is; what is called can change while the server runs.
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
    # A segment that is there already is archived again only after a crash, and must then be the same.
    command = f'if test -f {name}{ending}"; then {same}; else {store} && mv {draft} {name}{ending}"; fi'
    return f"archive_mode = on\narchive_timeout = {TIMEOUT_SECONDS}\narchive_command = {_literal(command)}\n"


def restore_settings(archive: Path, moment: str) -> str:
    """The settings of a server that is to be brought back to ``moment`` from a base backup and the archive."""
    name = f'"{_quoted(str(archive))}/%f'
    command = f'if test -f {name}.gz"; then gzip -dc {name}.gz" > "%p"; else cp {name}" "%p"; fi'
    return (
        f"archive_mode = off\nrestore_command = {_literal(command)}\nrecovery_target_time = {_literal(moment)}\n"
        "recovery_target_action = 'promote'\nshared_buffers = '64MB'\nhot_standby = on\n"
    )


def _quoted(path: str) -> str:
    """A path within double quotes of the shell, in which the server replaces %p and %f.

    Raises:
        ValueError: it has a character that cannot be written there safely.
    """
    if any(character in path for character in '"`$\\\n%'):
        message = 'the folder of backups must not have any of " ` $ \\ % in its path'
        raise ValueError(message)
    return path


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
