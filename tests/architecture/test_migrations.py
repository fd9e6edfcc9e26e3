"""Every step of a migration is one that running code survives, or says why."""

from migrations import snapshot
from migrations.lint import unsafe


def test_our_scripts_take_no_unsafe_step() -> None:
    root = snapshot.ROOT.parent
    scripts = [script for tree in snapshot.TREES for script in snapshot.scripts_of(tree)[1:]]
    findings = [
        problem
        for script in scripts
        for problem in unsafe(script.relative_to(root).as_posix(), script.read_text(encoding="utf-8"))
    ]
    assert findings == [], "a reason for a rendered step goes into migrations/reasons.py"


def test_no_released_script_was_edited() -> None:
    assert [f"{tree}/{name}" for tree in snapshot.TREES for name in snapshot.edited(tree)] == []
