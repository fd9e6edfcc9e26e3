"""The picture of a risk adds up: from the usual log-odds, by theme, to the person's own."""

import re
from dataclasses import dataclass, field

import pytest

from core.web.texts import reading_in
from tenants.portal.risk_picture import risk_picture


@dataclass
class Risk:
    base: float | None = -2.0
    raw_log_odds: float | None = -1.0
    other_contribution: float = -0.25
    reasons: list = field(
        default_factory=lambda: [
            {"theme": "lateness", "contribution": 1.5, "text": "late"},
            {"theme": "supply", "contribution": -0.25, "text": "supply"},
        ]
    )


@pytest.mark.parametrize(("language", "word"), [("en", "This person"), ("fr", "Cette personne"), ("pt", "Esta pessoa")])
def test_the_bars_lead_from_the_usual_risk_to_the_persons_own(language, word):
    with reading_in(language):
        picture = str(risk_picture(Risk()))
    assert word in picture
    first, last = (float(x) for x in re.findall(r'<circle class="point" cx="([0-9.]+)"', picture))
    widths = [float(x) for x in re.findall(r'<rect [^>]*width="([0-9.]+)"', picture)]
    assert last - first == pytest.approx(widths[0] - widths[1] - widths[2], abs=0.3)
    assert picture.count("against") == 2


def test_people_who_are_not_scored_have_no_picture():
    assert risk_picture(None) is None
    assert risk_picture(Risk(base=None)) is None
    assert risk_picture(Risk(reasons=[])) is None
