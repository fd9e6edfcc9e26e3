"""A person who has a keyboard and no mouse: goes by Tab, presses by Enter, and always sees where they are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.sync_api import Page

MOST_STEPS: Final = 90

_FOCUS = """() => {
  const here = document.activeElement
  const order = here === document.body ? -1 : [...document.querySelectorAll("*")].indexOf(here)
  const style = getComputedStyle(here)
  const labels = here.labels ? [...here.labels].map(label => label.textContent).join(" ") : ""
  return {
    name: (here.ariaLabel || labels || here.textContent || here.value || "").replace(/\\s+/g, " ").trim(),
    order,
    seen: order < 0 || (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2),
    shown: here.checkVisibility(),
  }
}"""


class Keyboard:
    """The keyboard of a page."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def go_to(self, name: str) -> None:
        """Press Tab until the thing with this name has the focus. Each step goes forward, and shows where it is."""
        pattern, order = re.compile(name), -1
        names = []
        for _ in range(MOST_STEPS):
            self.page.keyboard.press("Tab")
            focus = self.page.evaluate(_FOCUS)
            names.append(focus["name"])
            assert focus["seen"], f"nobody sees that {focus['name']!r} has the focus"
            assert focus["shown"], f"{focus['name']!r} has the focus and is hidden"
            assert focus["order"] >= order or focus["order"] < 0, f"after {names[-2:]} the focus went back"
            order = focus["order"]
            if pattern.search(focus["name"]):
                return
        message = f"the keyboard does not reach {name!r}; it saw {[name[:40] for name in names]}"
        raise AssertionError(message)

    def press(self, name: str, key: str = "Enter") -> None:
        """Go to a thing and press it."""
        self.go_to(name)
        self.page.keyboard.press(key)

    def follow(self, name: str) -> None:
        """Go to a link or button that opens a page, and press it."""
        self.go_to(name)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def fill(self, name: str, text: str) -> None:
        """Go to a field and type into it."""
        self.go_to(name)
        self.page.keyboard.type(text)

    def choose_file(self, name: str, path: str) -> None:
        """Go to a field for files and choose one."""
        self.go_to(name)
        with self.page.expect_file_chooser() as chooser:
            self.page.keyboard.press("Space")
        chooser.value.set_files(path)

    @property
    def place(self) -> str:
        """The classes of the element that has the focus."""
        classes: str = self.page.evaluate("document.activeElement.className")
        return classes
