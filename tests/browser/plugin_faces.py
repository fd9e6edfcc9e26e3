"""The faces of the pages about channels and plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.browser.face import ADMIN, Face, click, send

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.stage import Stage

_NEW: Final = "/admin/plugins/new/{plugin_kind}/{plugin}"
_ONE: Final = "/admin/plugins/{instance_id}"


def _wrong(page: Page, stage: Stage) -> None:
    page.locator("[id='set.channel']").fill("general")
    send("Set it up", name="")(page, stage)


PLUGIN_FACES: Final = (
    Face("admin-plugins", "GET /admin/plugins", ADMIN),
    Face("admin-plugins-empty", "GET /admin/plugins", f"{ADMIN}@new-partner"),
    Face("admin-plugin", f"GET {_ONE}", ADMIN),
    Face("admin-plugin-new", f"GET {_NEW}", ADMIN, "/admin/plugins/new/alert-channel/email"),
    Face("admin-plugin-wrong", f"POST {_NEW}", ADMIN, _NEW, _wrong),
    Face("admin-plugin-change", f"GET {_ONE}/change", ADMIN),
    Face("admin-plugin-address", f"POST {_ONE}/address", ADMIN, _ONE, click("Show the address")),
    Face(
        "admin-plugin-rotated", f"POST {_ONE}/rotate-address", ADMIN, _ONE, click("Replace the address", "Replace it")
    ),
    Face("admin-plugin-tested", f"POST {_ONE}/test", ADMIN, _ONE, click("Send a test")),
)
