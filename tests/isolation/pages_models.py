"""The rows of the pages of models, drift, groups and features, and the things that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from tests.isolation.pages import Row
from tests.tenants.risk.made_models import serve, small_model

if TYPE_CHECKING:
    from collections.abc import Collection

    from tests.isolation.routes import World

READ, PROMOTE = "risk.read", "models.promote"
_MODEL = ("model_id",)
ROWS = [
    Row("GET", "/programme/models", READ, confined=False),
    # The model that these name is a candidate in no comparison: 409 for whoever may roll back, or end one.
    Row("POST", "/programme/models/{model_id}/roll-back", PROMOTE, names=_MODEL, status=409, confined=False),
    Row("GET", "/programme/models/{model_id}", READ, names=_MODEL, confined=False),
    Row("GET", "/programme/models/{model_id}/card.pdf", READ, names=_MODEL, confined=False),
    Row("POST", "/programme/models/{model_id}/stop", PROMOTE, names=_MODEL, status=409, confined=False),
    Row("POST", "/programme/models/{model_id}/approve", PROMOTE, names=_MODEL, status=303, confined=False),
    Row(
        "POST",
        "/programme/models/{model_id}/compare",
        PROMOTE,
        names=_MODEL,
        form={"kind": "shadow"},
        status=303,
        confined=False,
    ),
    Row("POST", "/programme/models/{model_id}/promote", PROMOTE, names=_MODEL, status=303, confined=False),
    Row("POST", "/programme/models/{model_id}/retire", PROMOTE, names=_MODEL, status=303, confined=False),
    Row("GET", "/programme/drift", READ, confined=False),
    Row("GET", "/programme/groups", READ, confined=False),
    Row("GET", "/programme/features", READ, confined=False),
    Row("GET", "/programme/features/{name}", READ, confined=False),
]


def things_of(world: World, names: Collection[str]) -> dict[str, str]:
    """A candidate beside a champion, for the rows that name a model; a feature."""
    if "model_id" not in names:
        return {"name": "age"}
    serve(world.tenant, small_model(world.tenant, f"additive-{uuid4().hex[:8]}"))
    return {"model_id": str(small_model(world.tenant, f"additive-{uuid4().hex[:8]}"))}
