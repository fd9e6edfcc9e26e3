"""A face of a page, and what people do on pages before a picture is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.browser.stage import Stage

    Act = Callable[[Page, Stage], object]

OFFICER, MANAGER, DATA, VIEWER, ADMIN = "tracking_officer", "case_manager", "data_officer", "viewer", "partner_admin"
OPERATOR: Final = "platform_admin"


@dataclass(frozen=True)
class Face:
    """One picture.

    Attributes:
        page: the page's row in ``tests/isolation``, such as ``GET /today``.
        who: for ``Stage.session_of``; empty where nobody is signed in.
        address: where the person begins; the page's path without it. Names in braces come from ``Stage.things``.
        act: what the person does there.
    """

    name: str
    page: str
    who: str = ""
    address: str = ""
    act: Act | None = None

    @property
    def start(self) -> str:
        """The address at which the person begins."""
        return self.address or self.page.partition(" ")[2]


def click(*names: str) -> Act:
    """Press the first thing with each of these words."""

    def act(page: Page, _stage: Stage) -> None:
        for name in names:
            page.locator("button, summary, a", has_text=name).locator("visible=true").first.click()
            page.wait_for_load_state()

    return act


def send(button: str, **fields: str) -> Act:
    """Fill fields by their names, skip the browser's own checks, and press the button."""

    def act(page: Page, _stage: Stage) -> None:
        for name, value in fields.items():
            page.locator(f"[name='{name}']").first.fill(value)
        page.evaluate("for (const form of document.forms) form.noValidate = true")
        page.get_by_role("button", name=button, exact=True).first.click()
        page.wait_for_load_state()

    return act
