"""``python -m core.cli`` is ``iit``."""

from core.cli.main import main

main()
