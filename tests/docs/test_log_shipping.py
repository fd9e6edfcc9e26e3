"""What docs/examples/logs ships has the fields that a line of ours has."""

import io
import json
import re

import yaml

from core import telemetry
from core.settings import CHECKOUT

EXAMPLE = CHECKOUT / "docs" / "examples" / "logs" / "vector.yaml"


def test_the_labels_of_the_example_are_fields_of_a_line():
    out = io.StringIO()
    telemetry.configure(level="debug", form="json", stream=out)
    try:
        telemetry.get_logger("room").info("imported")
    finally:
        telemetry.configure_from_settings()
    line = json.loads(out.getvalue())
    example = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    named = set(re.findall(r"\{\{ (\w+) \}\}", repr(example["sinks"]["loki"]["labels"])))
    assert named == {"level", "logger"}
    assert named | {"timestamp"} <= set(line)


def test_every_part_of_the_example_reads_from_one_that_there_is():
    example = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    parts = {**example["sources"], **example["transforms"]}
    readers = [*example["transforms"].values(), *example["sinks"].values()]
    assert {name for each in readers for name in each["inputs"]} == set(parts)
