"""`make shots`: a picture of every page on a phone and a desktop, light and dark, of a simulated partner.

``python -m tests.browser.shots [--state FOLDER] [--people N] [--readme]``. The pictures are in ``build/shots``, with an
``index.html``. ``--readme`` writes those of the README instead, to ``docs/pictures``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from tests.browser.chromium import chromium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from playwright.sync_api import Browser, Page

ROOT: Final = Path(__file__).resolve().parents[2]
SHOTS: Final = ROOT / "build" / "shots"
PICTURES: Final = ROOT / "docs" / "pictures"
SIZES: Final = {360: 640, 1280: 800}
SCHEMES: Final = ("light", "dark")
COLOURS: Final = 48
PEOPLE: Final = 900
OFFICER: Final = "tracking_officer@demo-north.example.org"


def _card(page: Page, place: int) -> None:
    page.locator("article.card").nth(place).locator("summary").first.click()


def _outcomes(page: Page) -> None:
    _card(page, 0)


def _wrong_number(page: Page) -> None:
    _card(page, 0)
    page.locator("article.card").first.get_by_text("Wrong number", exact=True).click()


def _recorded(page: Page) -> None:
    _card(page, 0)
    page.get_by_role("button", name="Not reached").first.click()
    page.get_by_role("button", name="Undo").wait_for()


def _undone(page: Page) -> None:
    _recorded(page)
    page.get_by_role("button", name="Undo").click()
    page.wait_for_load_state()


def _wrong_password(page: Page) -> None:
    page.get_by_label("E-mail address").fill(OFFICER)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()


def _upload_options(page: Page) -> None:
    page.get_by_text("More options").click()


def _upload_nothing(page: Page) -> None:
    page.evaluate("document.querySelector('form.form').noValidate = true")
    page.get_by_role("button", name="Upload", exact=True).click()
    page.get_by_role("alert").wait_for()


def _import(page: Page) -> None:
    page.locator("article.card a").first.click()
    page.get_by_text("Undo this import").click()


def _pair(page: Page) -> None:
    if page.locator("article.card").count():
        page.locator("article.card a").first.click()
        page.get_by_role("heading", name="One person or two?").wait_for()


def _nothing(page: Page) -> None:
    page.wait_for_load_state()


def _patient(page: Page) -> None:
    page.goto(page.locator("article.card a").first.get_attribute("href") or "")


def _patient_form(page: Page) -> None:
    _patient(page)
    page.get_by_text("Record an attempt").click()


def _search(page: Page, text: str) -> None:
    page.get_by_label("Name, number or phone").fill(text)
    page.get_by_role("button", name="Search").click()
    page.wait_for_load_state()


def _search_name(page: Page) -> None:
    _search(page, "client")


def _search_nobody(page: Page) -> None:
    _search(page, "Nobody")


def _search_nothing(page: Page) -> None:
    _search(page, "--")


def _assign(page: Page) -> None:
    page.get_by_role("link", name="Assign to a colleague").first.click()
    page.wait_for_load_state()


FACES: Final[tuple[tuple[str, str, str | None, Callable[[Page], None]], ...]] = (
    ("sign-in", "/sign-in", None, _nothing),
    ("sign-in-refused", "/sign-in", None, _wrong_password),
    ("today", "/today", "tracking_officer", _nothing),
    ("today-outcomes", "/today", "tracking_officer", _outcomes),
    ("today-wrong-number", "/today", "tracking_officer", _wrong_number),
    ("today-assign", "/today", "tracking_officer", _assign),
    ("today-mine", "/today?whose=mine", "case_manager", _nothing),
    ("today-recorded", "/today", "tracking_officer", _recorded),
    ("today-undone", "/today", "tracking_officer", _undone),
    ("today-late", "/today?list=to_trace", "tracking_officer", _nothing),
    ("today-all-clinics", "/today", "case_manager", _nothing),
    ("today-no-clinic", "/today?facility=none", "case_manager", _nothing),
    ("today-not-allowed", "/today", "viewer", _nothing),
    ("patients", "/patients", "case_manager", _nothing),
    ("patients-by-name", "/patients", "case_manager", _search_name),
    ("patients-nobody", "/patients", "case_manager", _search_nobody),
    ("patients-wrong", "/patients", "case_manager", _search_nothing),
    ("patients-not-allowed", "/patients", "viewer", _nothing),
    ("patient", "/today", "case_manager", _patient),
    ("patient-late", "/today?list=to_trace", "case_manager", _patient),
    ("patient-attempt", "/today", "case_manager", _patient_form),
    ("patient-not-there", f"/patients/{UUID(int=0)}", "case_manager", _nothing),
    ("data", "/data", "data_officer", _nothing),
    ("data-upload", "/data/upload", "data_officer", _upload_options),
    ("data-upload-wrong", "/data/upload", "data_officer", _upload_nothing),
    ("data-imports", "/data/imports", "data_officer", _nothing),
    ("data-import", "/data/imports", "data_officer", _import),
    ("data-facilities", "/data/facilities", "data_officer", _nothing),
    ("data-quality", "/data/quality", "data_officer", _nothing),
    ("data-candidates", "/data/candidates", "data_officer", _nothing),
    ("data-candidate", "/data/candidates", "data_officer", _pair),
    ("data-not-allowed", "/data", "viewer", _nothing),
    ("programme", "/programme", "data_officer", _nothing),
    ("programme-people", "/programme/people", "data_officer", _nothing),
    ("programme-disagreements", "/programme/disagreements", "data_officer", _nothing),
    ("programme-viewer", "/programme?show=TX_PVLS", "viewer", _nothing),
    ("programme-not-allowed", "/programme", "tracking_officer", _nothing),
    ("reports", "/reports", "data_officer", _nothing),
    ("reports-viewer", "/reports", "viewer", _nothing),
    ("reports-not-allowed", "/reports", "tracking_officer", _nothing),
    ("me", "/me", "tracking_officer", _nothing),
    ("admin", "/admin", "partner_admin", _nothing),
    ("admin-people", "/admin/people", "partner_admin", _nothing),
    ("admin-invite", "/admin/people/new", "partner_admin", _nothing),
    ("admin-file", "/admin/people/file", "partner_admin", _nothing),
    ("admin-roles", "/admin/roles", "partner_admin", _nothing),
    ("admin-key", "/admin/keys/new", "partner_admin", _nothing),
    ("admin-settings", "/admin/settings/cohort", "partner_admin", _nothing),
    ("admin-audit", "/admin/audit", "partner_admin", _nothing),
    ("admin-not-allowed", "/admin/people", "viewer", _nothing),
    ("kit", "/kit", None, _nothing),
    ("single-sign-on", "/admin/sso", "partner_admin", _nothing),
    ("single-sign-on-not-there", "/sign-in/sso?partner=none", None, _nothing),
    ("not-there", "/nothing-is-at-this-address", "tracking_officer", _nothing),
)
"""Name of the picture, address, role that looks (None: nobody signed in), and what that person does first."""


README: Final = (
    ("today-phone", "/today?list=to_trace", 360, 760, 2),
    ("today-desktop", "/today?list=to_trace", 1280, 900, 1),
)
"""Name of the picture, address, width, height, and pixels of the picture to each of them."""


def main() -> None:
    """Takes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, help="State folder of a demo that was run already.")
    parser.add_argument("--people", type=int, default=PEOPLE, help="People to simulate.")
    parser.add_argument("--readme", action="store_true", help="Only the pictures of the README.")
    wanted = parser.parse_args()
    with _demo(wanted.state, wanted.people) as (site, password), chromium() as browser:
        if wanted.readme:
            _take_for_readme(browser, site, password)
        else:
            _take_all(browser, site, password)


@contextmanager
def _demo(state: Path | None, people: int) -> Iterator[tuple[str, str]]:
    """The address of a served demo, and the password of its accounts. Without ``state``, a demo of its own."""
    folder = state or SHOTS / "state"
    if state is None:
        shutil.rmtree(folder, ignore_errors=True)
    os.environ["IIT_STATE_DIR"] = str(folder)
    try:
        sign_ins = _run_demo(people)
        from core.app.factory import create_app
        from core.services import ensure
        from tests.core.app.wire import served

        ensure()
        with served(create_app()) as port:
            yield f"http://127.0.0.1:{port}", sign_ins["password"]
    finally:
        _iit("services", "stop")


def _run_demo(people: int) -> Mapping[str, Any]:
    answer = _iit("demo", "--no-serve", "--people", str(people), "--json")
    sign_ins: Mapping[str, Any] = json.loads(answer)["sign_ins"]
    return sign_ins


def _iit(*words: str) -> str:
    command = [sys.executable, "-m", "core.cli", *words]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def _take_all(browser: Browser, site: str, password: str) -> None:
    SHOTS.mkdir(parents=True, exist_ok=True)
    for stale in SHOTS.glob("*.png"):
        stale.unlink()
    for width, height in SIZES.items():
        for scheme in SCHEMES:
            cookies: dict[str, Any] = {}
            for name, path, role, act in FACES:
                with _page(browser, site, width, height, color_scheme=scheme) as page:
                    if role is not None:
                        _sign_in(page, role, password, cookies)
                    page.goto(path)
                    act(page)
                    page.screenshot(path=SHOTS / f"{name}-{width}-{scheme}.png", full_page=width == min(SIZES))
    figures = "".join(_row(name) for name, *_ in FACES)
    style = "body{font:16px system-ui;background:#888}img{vertical-align:top;max-height:90vh;margin:4px}"
    index = SHOTS / "index.html"
    index.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Pages</title><style>{style}</style>{figures}",
        encoding="utf-8",
    )
    print(f"{len(FACES) * len(SIZES) * len(SCHEMES)} pictures: {index}")  # noqa: T201 - what the command answers


def _row(name: str) -> str:
    files = [f"{name}-{width}-{scheme}.png" for width in SIZES for scheme in SCHEMES]
    return f"<h2>{name}</h2>" + "".join(f'<img src="{file}" alt="{file}">' for file in files)


def _take_for_readme(browser: Browser, site: str, password: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    cookies: dict[str, Any] = {}
    for name, path, width, height, scale in README:
        with _page(browser, site, width, height, device_scale_factor=scale) as page:
            _sign_in(page, "tracking_officer", password, cookies)
            page.goto(path)
            file = PICTURES / f"{name}.png"
            page.screenshot(path=file)
            _reduce(file)
            print(f"{file}: {file.stat().st_size / 1000:.0f} kB")  # noqa: T201 - what the command answers


@contextmanager
def _page(browser: Browser, site: str, width: int, height: int, **options: Any) -> Iterator[Page]:
    context = browser.new_context(
        base_url=site, viewport={"width": width, "height": height}, locale="en-GB", reduced_motion="reduce", **options
    )
    try:
        yield context.new_page()
    finally:
        context.close()


def _sign_in(page: Page, role: str, password: str, cookies: dict[str, Any]) -> None:
    """Sign in as the role, one time for all pictures that share ``cookies``."""
    if role in cookies:
        page.context.add_cookies(cookies[role])
        return
    page.goto("/sign-in?next=/me")
    page.get_by_label("E-mail address").fill(f"{role}@demo-north.example.org")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/me")
    cookies[role] = page.context.cookies()


def _reduce(path: Path) -> None:
    """Write the picture again, with few colours."""
    from PIL import Image

    with Image.open(path) as picture:
        reduced = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    reduced.save(path, optimize=True)


if __name__ == "__main__":
    main()
