"""The reading process: reads ``document`` in its folder and writes ``answer.json``. ``apart`` starts it, confined.

An error here may quote the document: the process tells only the code of what is wrong.
"""

from __future__ import annotations

import json
import sys
from dataclasses import astuple
from pathlib import Path
from typing import Final

from tenants.knowledge.reading.blocks import UnreadableError
from tenants.knowledge.reading.documents import read

DOCUMENT: Final = "document"
ANSWER: Final = "answer.json"


def main() -> int:
    """Read the document; return the exit code."""
    try:
        reading = read(Path(DOCUMENT).read_bytes())
    except UnreadableError as error:
        answer: dict[str, object] = {"unreadable": error.reason}
    except MemoryError:
        answer = {"unreadable": "too_long"}
    else:
        answer = {
            "media_type": reading.media_type,
            "title": reading.title,
            "language": reading.language,
            "blocks": [astuple(block) for block in reading.blocks],
        }
    Path(ANSWER).write_text(json.dumps(answer), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
