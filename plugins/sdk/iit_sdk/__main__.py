"""``python -m iit_sdk new NAME --kind KIND`` writes a plugin whose tests pass."""

import argparse
from pathlib import Path

from plugins.sdk.new_plugin import KINDS, write_plugin

parser = argparse.ArgumentParser(prog="python -m iit_sdk", description="Write a new plugin.")
parser.add_argument("command", choices=["new"])
parser.add_argument("name", help="of the plugin, such as my-channel; a folder of this name is made")
parser.add_argument("--kind", required=True, choices=KINDS)
arguments = parser.parse_args()
print(write_plugin(Path.cwd(), arguments.name, arguments.kind))  # noqa: T201 - its answer
