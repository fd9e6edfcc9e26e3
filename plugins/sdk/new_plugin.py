"""New plugins from templates: a package with a hook, an example of its kind, and contract tests that pass."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

KINDS = ("alert-channel", "sms-gateway", "event-listener", "importer", "rag-source", "model")
NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]", re.ASCII)
_FOLDER = Path(__file__).parent
_CONTRACTS = {
    "alert-channel": ("iit_alert_channels", "AlertChannel", "channel"),
    "sms-gateway": ("iit_sms_gateways", "SmsGateway", "gateway"),
    "event-listener": ("iit_event_listeners", "EventListener", "listener"),
    "importer": ("iit_importers", "Importer", "importer"),
    "rag-source": ("iit_rag_sources", "RagSource", "source"),
}
_PROJECT = """[build-system]
requires = ["setuptools>=80"]
build-backend = "setuptools.build_meta"

[project]
name = "{name}"
version = "0.1.0"
description = "A plugin of the IIT platform."
requires-python = ">=3.11"
dependencies = ["iit-plugins-sdk>=1,<2"]

# The platform finds the plugin by this line: a name for messages = the module with the hook.
[project.entry-points."iit.plugins"]
{name} = "{package}"

[tool.setuptools]
packages = ["{package}"]

[tool.pytest.ini_options]
pythonpath = ["."]
"""
_HOOK = '''"""The plugin: states the version of the hooks that it is written for, and returns what it offers."""

from {package}.{module} import Example
from iit_sdk import {protocol}, PluginContext, hookimpl

IIT_SDK = 1


@hookimpl
def {hook}(context: PluginContext) -> list[{protocol}]:
    """Return what the plugin offers."""
    return [Example()]
'''
_TEST = '''"""Tests each promise that a plugin of this kind makes to the platform."""

from {package}.{module} import Example
from iit_sdk import secret
from iit_sdk.testing import {protocol}Contract


class TestExample({protocol}Contract):
    """The contract tests of the SDK. The settings are as the platform gives them: marks in place of secrets."""

    plugin = Example()
    settings = {{"url": "https://example.org/in", "token": secret("token")}}
'''
_README = """# {name}

A plugin of the IIT platform ({kind}), made from its template.

1. Put your code in `{package}/{module}.py`, and your settings in `tests/test_contract.py`.
2. `pip install -e . pytest`, then `python -m pytest`. Each test is one promise, and says what to change.
3. The operator installs the package beside the platform; `iit plugin check` says whether it is ready.
"""


def write_plugin(parent: Path, name: str, kind: str) -> Path:
    """Write a new plugin into a folder of its name. Return the folder.

    Args:
        parent: where the folder is made.
        name: lower case, such as ``my-channel``.
        kind: one of ``KINDS``.

    Raises:
        ValueError: the name or the kind is not one, or the folder is there already.
    """
    if not NAME.fullmatch(name) or kind not in KINDS:
        message = f"a plugin needs a name of a-z, 0-9 and -, and a kind of {', '.join(KINDS)}"
        raise ValueError(message)
    folder, package = parent / name, name.replace("-", "_")
    if folder.exists():
        message = f"{folder} is there already"
        raise ValueError(message)
    if kind == "model":
        _copy_model(folder, name, package)
        return folder
    hook, protocol, module = _CONTRACTS[kind]
    values = {"name": name, "package": package, "kind": kind, "hook": hook, "protocol": protocol, "module": module}
    source = (_FOLDER / "templates" / f"{module}.txt").read_text().replace(f"example-{module}", name)
    files = {
        "pyproject.toml": _PROJECT.format(**values),
        "README.md": _README.format(**values),
        f"{package}/__init__.py": _HOOK.format(**values),
        f"{package}/{module}.py": source,
        "tests/test_contract.py": _TEST.format(**values),
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def _copy_model(folder: Path, name: str, package: str) -> None:
    shutil.copytree(_FOLDER / "template", folder, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    (folder / "example_model").rename(folder / package)
    for path in (each for each in folder.rglob("*") if each.is_file()):
        text = path.read_text().replace("example_model", package).replace("example-model", name)
        path.write_text(text)
