"""The type of JSON values."""

from typing import Any

Json = Any  # what json.loads may return; a recursive alias costs readers more than it tells them
