"""Who acts on the command line: the operating system's user, until people sign in.

Light, and without anything of ours: every command imports it.
"""

from __future__ import annotations

import os
import pwd
import re

_PLAIN = re.compile(r"[^A-Za-z0-9._@\\-]")


def operator() -> str:
    """The actor of a command: ``cli:<user>``. With sudo it is who called sudo, which root alone can be told."""
    uid = os.getuid()
    name = os.environ.get("SUDO_USER", "") if uid == 0 else ""
    if name and not _known(name):
        name = ""
    if not name:
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = str(uid)  # a container's user has often no name
    return f"cli:{_PLAIN.sub('_', name)[:64]}"


def _known(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


ACTOR = operator()
