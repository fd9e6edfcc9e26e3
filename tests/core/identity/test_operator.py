"""An act of the command line bears the operating system's user."""

import os
import pwd

import pytest

from core.cli.output import ACTOR
from core.identity import operator


def test_it_is_the_user_of_this_process():
    assert pwd.getpwuid(os.getuid()).pw_name in (ACTOR.removeprefix("cli:"), "root")


@pytest.mark.parametrize(
    ("uid", "sudo", "expected"),
    [
        (0, None, "cli:root"),
        (0, "daemon", "cli:daemon"),
        (0, "nobody-of-this-name", "cli:root"),
        (1, "root", "cli:daemon"),
        (4_000_000, None, "cli:4000000"),
    ],
    ids=["root", "by sudo", "by a sudo that is not", "a user who claims sudo", "without a name"],
)
def test_root_alone_is_told_who_called_sudo(monkeypatch, uid, sudo, expected):
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.delenv("SUDO_USER", raising=False)
    if sudo is not None:
        monkeypatch.setenv("SUDO_USER", sudo)
    assert operator.operator() == expected


def test_a_name_from_a_directory_cannot_break_a_line(monkeypatch):
    monkeypatch.setattr(pwd, "getpwuid", lambda _: pwd.struct_passwd(("a b\n" * 40, "x", 1, 1, "", "/", "/bin/sh")))
    monkeypatch.setattr(os, "getuid", lambda: 1)
    assert operator.operator() == "cli:" + ("a_b_" * 40)[:64]
