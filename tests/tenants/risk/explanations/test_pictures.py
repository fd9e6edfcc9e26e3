"""Pictures are drawn to scale, say who they are to a screen reader, and carry no style, script or foreign markup."""

import re
from xml.etree import ElementTree as ET

import pytest

from tenants.risk.explanations.pictures import beeswarm, dependence, waterfall

STEPS = [("Late at earlier visits", 0.8, "+0.8"), ("<b>Supply</b> & regimen of the last visits", -0.3, "-0.3")]
ENTRIES = [
    {"value": 1.0, "people": 20, "low": -0.2, "middle": -0.1, "high": 0.1},
    {"value": 9.0, "people": 20, "low": 0.1, "middle": 0.3, "high": 0.6},
    {"missing": True, "people": 12, "low": 0.0, "middle": 0.0, "high": 0.0},
]


def drawn(markup):
    root = ET.fromstring(str(markup))  # noqa: S314 - our own
    return root, [element for element in root.iter() if element is not root]


def test_a_waterfall_ends_at_the_persons_own_log_odds():
    root, parts = drawn(waterfall("Why & how", ("Usual", -2.0), STEPS, ("Own", -1.5)))
    bars = [part for part in parts if part.tag == "rect"]
    assert [bar.get("class") for bar in bars] == ["bar", "bar against"]
    widths = [float(bar.get("width")) for bar in bars]
    assert widths[0] / widths[1] == pytest.approx(0.8 / 0.3, rel=0.01)
    first, last = [float(part.get("cx")) for part in parts if part.tag == "circle"]
    assert last - first == pytest.approx(widths[0] - widths[1], abs=0.2)
    assert float(bars[0].get("x")) == pytest.approx(first, abs=0.1)
    assert (root.get("role"), root.get("aria-label")) == ("img", "Why & how")
    assert next(part.text for part in parts if part.tag == "text") == "Usual"


def test_no_picture_has_style_script_or_markup_of_a_label():
    pictures = [
        waterfall("t", ("a", 0.0), STEPS, ("b", 0.5)),
        beeswarm("t", [("<script>x</script>", [[0.4, 0.1], [-0.2, None]])], "<lower>", "higher"),
        dependence('t" onload="x', ENTRIES, ["1", "<9>", "not known"]),
    ]
    for picture in pictures:
        _root, parts = drawn(picture)
        assert {part.tag for part in parts} <= {"rect", "line", "text", "circle", "path", "polyline"}
        assert not re.search(r"style=|\sonload=\"", str(picture))


def test_a_beeswarm_puts_zero_in_the_middle_and_covers_no_dot():
    points = [[0.5, 1.0], [0.5, 0.5], [0.5, 0.0], [-0.5, None]]
    _root, parts = drawn(beeswarm("t", [("Late", points)], "lowers", "raises"))
    axis = next(part for part in parts if part.get("class") == "axis")
    dots = [(float(part.get("cx")), float(part.get("cy"))) for part in parts if part.tag == "circle"]
    assert len(set(dots)) == 3
    assert all(x > float(axis.get("x1")) for x, _y in dots)
    assert [part.tag for part in parts].count("path") == 1


def test_dependence_joins_values_and_leaves_missing_ones_apart():
    _root, parts = drawn(dependence("t", ENTRIES, ["1", "9", "not known"]))
    line = next(part for part in parts if part.tag == "polyline")
    assert len(line.get("points").split()) == 2
    heights = [float(part.get("cy")) for part in parts if part.tag == "circle"]
    assert heights[1] < heights[2] < heights[0]


def test_nothing_to_draw_is_an_empty_picture():
    assert drawn(dependence("t", [], []))[1] == []
    assert drawn(beeswarm("t", [], "lowers", "raises"))[0].tag == "svg"
