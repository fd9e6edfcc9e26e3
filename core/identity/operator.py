"""The actor of commands: the operating system's user.

Every command imports this module, so it imports none of our other modules.
"""

from __future__ import annotations

import os
import pwd
import re

_PLAIN = re.compile(r"[^A-Za-z0-9._@\\-]")


def operator() -> str:
    """Return the actor of a command: ``cli:<user>``. For root it is the user who called sudo, if any."""
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
