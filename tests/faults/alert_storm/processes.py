"""The workers and the relay of a storm, without the rate limits of vendors: ``python processes.py FOLDER``.

A thousand alerts would wait for them for a quarter of an hour.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from core.plugins import request_sender, sending
from tests.faults.storm.processes import main

if __name__ == "__main__":
    request_sender.wait_before = sending.wait_before = lambda *_: 0.0  # type: ignore[attr-defined]
    main(Path(sys.argv[1]))
