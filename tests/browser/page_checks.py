"""Checks of every page: it fits every screen, is accessible, and its targets are large enough for a thumb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from playwright.sync_api import Page

PHONE: Final = {"width": 360, "height": 640}
DESKTOP: Final = {"width": 1280, "height": 800}
NARROW: Final = {"width": 320, "height": 640}
ZOOMED: Final = {"width": 640, "height": 400}
"""What a page has on a desktop at 200 %."""

EVERY_SIZE: Final = (DESKTOP, ZOOMED, NARROW, PHONE)
TARGET: Final = 48

_WIDE = """() => [...document.querySelectorAll(".table-frame")].filter(frame => frame.scrollWidth > frame.clientWidth)
  .map(frame => frame.getAttribute("aria-label"))"""

_SMALL = """least => [...document.querySelectorAll(
  "button, .button, summary, select, .shell-nav a, .back, .sections a, input:not([type=hidden], [type=checkbox])"
)].filter(part => part.checkVisibility() && part.getBoundingClientRect().height < least - 0.5)
  .map(part => `${part.tagName} ${part.textContent.trim().slice(0, 40) || part.name}`)"""


def assert_fits(page: Page, sizes: Sequence[dict[str, int]] = EVERY_SIZE) -> None:
    """Check at each size that nobody has to scroll to the side. The page has the last size afterwards."""
    for size in sizes:
        page.set_viewport_size(size)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], size
        assert page.evaluate(_WIDE) == [], size


def assert_good(page: Page, accessible: Callable[..., None]) -> None:
    """Check an open page: its width at every size, its targets, and axe on a phone and a desktop in both themes."""
    assert_fits(page)
    assert page.evaluate(_SMALL, TARGET) == []
    accessible(page)
    page.emulate_media(color_scheme="dark")
    accessible(page, ["color-contrast"])
    page.set_viewport_size(DESKTOP)
    accessible(page, ["color-contrast"])
    page.emulate_media(color_scheme="light")
    accessible(page)
