"""`make shots`: a picture of every page in its faces, on a phone and a desktop, light and dark, of a simulated partner.

``python -m tests.browser.shots [--state FOLDER] [--people N] [--only WORD] [--readme]``. The pictures are in
``build/shots``, with an ``index.html``. ``--readme`` writes those of the README instead, to ``docs/pictures``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.browser.chromium import chromium
from tests.browser.incoming_faces import ALL_FACES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser, Page

    from tests.browser.faces import Face
    from tests.browser.stage import Stage

ROOT: Final = Path(__file__).resolve().parents[2]
SHOTS: Final = ROOT / "build" / "shots"
PICTURES: Final = ROOT / "docs" / "pictures"
SIZES: Final = {360: 640, 1280: 800}
SCHEMES: Final = ("light", "dark")
COLOURS: Final = 48
PEOPLE: Final = 900

README: Final = (
    ("today-phone", "tracking_officer", "/today", 360, 760, 2),
    ("today-desktop", "tracking_officer", "/today?list=to_trace", 1280, 760, 1),
    ("programme-desktop", "data_officer", "/programme", 1280, 760, 1),
    ("data-desktop", "data_officer", "/data", 1280, 760, 1),
)
"""Name of the picture, role, address, width, height, and pixels of the picture to each of them."""


def main() -> None:
    """Takes the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, help="State folder of a demo that was run already.")
    parser.add_argument("--people", type=int, default=PEOPLE, help="People to simulate.")
    parser.add_argument("--only", default="", help="Take only the pictures whose names contain this word.")
    parser.add_argument("--readme", action="store_true", help="Take only the pictures of the README.")
    wanted = parser.parse_args()
    with _stage(wanted.state, wanted.people) as stage, chromium() as browser:
        if wanted.readme:
            _take_for_readme(browser, stage)
        else:
            stage.prepare()
            _take_all(browser, stage, [face for face in ALL_FACES if wanted.only in face.name])


@contextmanager
def _stage(state: Path | None, people: int) -> Iterator[Stage]:
    """A served demo. Without ``state``, a demo of its own."""
    folder = state or SHOTS / "state"
    os.environ["IIT_STATE_DIR"] = str(folder)
    os.environ["IIT_LOG_LEVEL"] = "error"
    os.environ |= dict.fromkeys(("IIT_RATE_PERSON", "IIT_RATE_KEY", "IIT_RATE_TENANT", "IIT_RATE_ADDRESS"), "0")
    try:
        if state is None:
            shutil.rmtree(folder, ignore_errors=True)
            _iit("demo", "--no-serve", "--people", str(people))
        from core.app.factory import create_app
        from core.services import ensure
        from tests.browser.stage import Stage
        from tests.core.app.wire import served

        ensure()
        with served(create_app()) as port:
            yield Stage(f"http://127.0.0.1:{port}")
    finally:
        _iit("services", "stop")


def _iit(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "core.cli", *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _take_all(browser: Browser, stage: Stage, faces: Sequence[Face]) -> None:
    """Takes the pictures of the faces.

    Raises:
        SystemExit: of some there is none, because the page is not as its face says.
    """
    from playwright.sync_api import Error

    lacking = []
    SHOTS.mkdir(parents=True, exist_ok=True)
    for width, height in SIZES.items():
        for scheme in SCHEMES:
            for face in faces:
                name = f"{face.name}-{width}-{scheme}"
                with _page(browser, stage, face.who, width, height, color_scheme=scheme) as page:
                    try:
                        _show(page, face, stage)
                    except Error as error:
                        lacking.append(f"{name}: {error.message.splitlines()[0]}")
                    page.screenshot(path=SHOTS / f"{name}.png", full_page=True)
    figures = "".join(_row(face.name) for face in faces)
    style = "body{font:16px system-ui;background:#888}img{vertical-align:top;max-height:90vh;margin:4px}"
    index = SHOTS / "index.html"
    index.write_text(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Pages</title><style>{style}</style>{figures}",
        encoding="utf-8",
    )
    print(f"{len(faces) * len(SIZES) * len(SCHEMES)} pictures: {index}")  # noqa: T201 - what the command answers
    if lacking:
        sys.exit("\n".join(["These faces were not reached:", *lacking]))


def _show(page: Page, face: Face, stage: Stage) -> None:
    page.goto(face.start.format_map(stage.things))
    if face.act is not None:
        face.act(page, stage)
        page.wait_for_load_state("networkidle")


def _row(name: str) -> str:
    files = [f"{name}-{width}-{scheme}.png" for width in SIZES for scheme in SCHEMES]
    return f"<h2>{name}</h2>" + "".join(f'<img src="{file}" alt="{file}">' for file in files)


def _take_for_readme(browser: Browser, stage: Stage) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, role, path, width, height, scale in README:
        with _page(browser, stage, role, width, height, device_scale_factor=scale) as page:
            page.goto(path)
            file = PICTURES / f"{name}.png"
            page.screenshot(path=file)
            _reduce(file)
            print(f"{file}: {file.stat().st_size / 1000:.0f} kB")  # noqa: T201 - what the command answers


@contextmanager
def _page(browser: Browser, stage: Stage, who: str, width: int, height: int, **options: Any) -> Iterator[Page]:
    """A page of a browser in which ``who`` is signed in."""
    size = {"width": width, "height": height}
    context = browser.new_context(
        base_url=stage.site, viewport=size, locale="en-GB", reduced_motion="reduce", **options
    )
    context.set_default_timeout(20_000)
    if who:
        context.add_cookies([{"name": "iit_session", "value": stage.session_of(who), "url": stage.site}])
    try:
        yield context.new_page()
    finally:
        context.close()


def _reduce(path: Path) -> None:
    """Write the picture again, with few colours."""
    from PIL import Image

    with Image.open(path) as picture:
        reduced = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    reduced.save(path, optimize=True)


if __name__ == "__main__":
    main()
