"""The reference has every hook and every method with its exact signature."""

import inspect

from core.plugins.kinds import KINDS
from core.plugins.reference import FILE, page
from plugins.sdk import hooks


def test_the_reference_is_what_the_sdk_says_run_python_m_core_plugins_reference():
    assert FILE.read_text() == page()


def test_every_hook_and_method_is_there_with_its_signature():
    text = page()
    for name in (name for name in vars(hooks) if name.startswith("iit_")):
        assert f"`{name}{inspect.signature(getattr(hooks, name))}`".replace("'", "") in text
    assert {kind.hook for kind in KINDS.values()} | {"iit_models"} == {n for n in vars(hooks) if n.startswith("iit_")}
    for kind in KINDS.values():
        for method in (*kind.methods, "settings_schema"):
            signature = inspect.signature(vars(kind.protocol)[method])
            assert f"`{method}{signature}`".replace("'", "") in text
