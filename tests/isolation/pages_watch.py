"""The rows of the pages of drift, groups and features."""

from tests.isolation.pages import Row

THINGS = {"name": "age"}
ROWS = [
    Row("GET", "/models/drift", "risk.read", confined=False),
    Row("GET", "/models/groups", "risk.read", confined=False),
    Row("GET", "/models/features", "risk.read", confined=False),
    Row("GET", "/models/features/{name}", "risk.read", confined=False),
]
