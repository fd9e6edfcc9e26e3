"""The card of a base model: whose sums it is of, what they cost in privacy, and what is not known about it here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tenants.risk.cards import INTENDED_USE, LIMITS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenants.risk.calibration import Calibrator
    from tenants.risk.models import RiskModel


def card(row: RiskModel, base: Mapping[str, Any], calibrator: Calibrator) -> dict[str, Any]:
    """Return the card as JSON."""
    return {
        "version": row.version,
        "kind": row.name,
        "plugin_version": row.plugin_version,
        "trained_at": row.trained_at.isoformat(timespec="seconds"),
        "intended_use": INTENDED_USE,
        "outcome": "no contact by expected + grace, by each partner's own days of grace",
        "failure": None,
        "choice": "it serves until a model that is trained on this partner's own records passes its gates",
        "fitted": {name: base[name] for name in ("partners", "epsilon", "delta", "noise", "releases")},
        "calibration": calibrator.note(),
        "data": {},
        "too_young": "",
        **dict.fromkeys(("metrics", "naive_rule", "against_naive", "against_simpler", "groups")),
        "outcomes_in_test_period": {},
        "unseen": {},
        "gates": dict(row.gates),
        "served": "the pooled model, calibrated on this partner's outcomes where there are enough",
        "limits": [
            _loss(base),
            "It was not measured on held-out time of this partner. The noise makes small effects wrong.",
            *LIMITS,
        ],
        "base": dict(base),
    }


def _loss(base: Mapping[str, Any]) -> str:
    return (
        f"It is pooled from noisy sums of {base['partners']} other partners; no row left them. The privacy loss of "
        f"each patient there is epsilon {base['epsilon']:.2f} at delta {base['delta']:g}, over all its gifts."
    )
