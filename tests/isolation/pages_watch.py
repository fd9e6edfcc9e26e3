"""The rows of the pages of drift, groups and features."""

from tests.isolation.pages import Row

THINGS = {"name": "age"}
ROWS = [
    Row("GET", "/programme/drift", "risk.read", confined=False),
    Row("GET", "/programme/groups", "risk.read", confined=False),
    Row("GET", "/programme/features", "risk.read", confined=False),
    Row("GET", "/programme/features/{name}", "risk.read", confined=False),
]
