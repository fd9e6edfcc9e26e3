"""What every problem document of the API promises, whatever the mistake was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

PLACE = re.compile(r"(path|query|header|body)(\.|$)")
OF_PYTHON = re.compile(r"datetime\.|<class|UUID\(|Decimal\(")
OF_TERMINAL = re.compile(r"`?\biit [a-z]+|\s--[a-z]")


def flaws(answer: Any) -> Iterator[str]:
    """What is wrong with the answer to a mistake: a field without its place, no remedy, words of Python or a shell."""
    if "problem" not in answer.headers.get("content-type", ""):
        return
    problem = answer.json()
    for error in problem["errors"]:
        if not PLACE.match(error["field"]):
            yield f"the field {error['field']!r} does not say whether it is in the path, query, header or body"
        if not error["remedy"]:
            yield f"the field {error['field']!r} has no remedy"
    if not problem["remedy"]:
        yield "there is no remedy"
    for pattern in (OF_PYTHON, OF_TERMINAL):
        seen = pattern.search(answer.text)
        if seen:
            yield f"{seen.group()!r} in {answer.text[:300]}"
