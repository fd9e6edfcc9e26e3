"""The reference has every hook and every method with its exact signature."""

import inspect

import pytest

import plugins.sdk.testing
from core.plugins.kinds import KINDS
from core.plugins.reference import FILE, page
from core.settings import CHECKOUT
from plugins.additive import AdditivePlugin
from plugins.additive.model import AdditiveModel
from plugins.sdk import FittedModel, ModelPlugin, hooks, secret
from plugins.sdk.new_plugin import KINDS as TEMPLATES
from plugins.sdk.new_plugin import write_plugin


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
    for protocol in (ModelPlugin, FittedModel):
        for method, function in vars(protocol).items():
            if inspect.isfunction(function) and not method.startswith("_"):
                assert f"`{method}{inspect.signature(function)}`".replace("'", "") in text


def test_the_table_of_the_sdk_has_each_hook_with_its_signature():
    table = (CHECKOUT / "plugins" / "sdk" / "README.md").read_text()
    rows = {row.split("`")[1] for row in table.splitlines() if row.startswith("| `iit_")}
    names = [name for name in vars(hooks) if name.startswith("iit_")]
    assert rows == {f"{name}{inspect.signature(getattr(hooks, name))}".replace("'", "") for name in names}


def test_every_kind_has_a_template_and_a_contract():
    assert set(TEMPLATES) == {*KINDS, "model"}
    assert all(f"{kind.protocol.__name__}Contract" in plugins.sdk.testing.__all__ for kind in KINDS.values())
    assert "ModelContract" in plugins.sdk.testing.__all__


@pytest.mark.parametrize(
    ("kind", "method"),
    [(kind.name, method) for kind in KINDS.values() for method in (*kind.methods, "settings_schema")],
)
def test_every_method_of_a_kind_has_a_contract_test_that_needs_it(kind, method, tmp_path, monkeypatch):
    class SpoiledError(Exception):
        pass

    def fail(*_):
        raise SpoiledError

    folder = write_plugin(tmp_path, f"spoiled-{kind}-{len(method)}", kind)
    monkeypatch.syspath_prepend(str(folder))
    module = __import__(folder.name.replace("-", "_"))
    ((plugin,),) = (getattr(module, name)(None) for name in vars(module) if name.startswith("iit_"))
    contract = getattr(plugins.sdk.testing, f"{KINDS[kind].protocol.__name__}Contract")
    settings = {"url": "https://example.org/in", "token": secret("token")}
    monkeypatch.setattr(type(plugin), method, fail)
    checks = type("Checks", (contract,), {"plugin": plugin, "settings": settings})()
    failed = []
    for name in (name for name in dir(checks) if name.startswith("test_")):
        try:
            getattr(checks, name)()
        except (SpoiledError, AssertionError):
            failed.append(name)
    assert failed


@pytest.mark.parametrize("method", ["fit", "load", "predict", "explain", "summary"])
def test_every_method_of_a_model_has_a_contract_test_that_needs_it(method, monkeypatch):
    class SpoiledError(Exception):
        pass

    def fail(*_):
        raise SpoiledError

    model = AdditivePlugin()
    owner = type(model) if method in {"fit", "load"} else AdditiveModel
    monkeypatch.setattr(owner, method, fail)
    with pytest.raises((SpoiledError, AssertionError)):
        plugins.sdk.testing.check_model(model)
