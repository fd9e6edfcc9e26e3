from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from core.database import TransactionOpenError, tenant_session
from core.errors import NotFound
from core.plugins import failures, manager, models

MODEL = """
from plugins.sdk import hookimpl
IIT_SDK = 1
class Model:
    name, version = {name!r}, "1"
    def fit(self, data, params, seed): ...
    def load(self, artifact): ...
@hookimpl
def iit_models(context): return [Model()]
"""


def test_the_first_party_models_are_there():
    assert {"additive", "boosting"} <= set(models())
    assert manager.is_first_party(manager.origin("additive"))


def test_a_model_that_is_not_there_is_said_to_be_with_those_that_are():
    with pytest.raises(NotFound) as raised:
        manager.model("oracle")

    assert "additive" in raised.value.remedy


def test_one_bad_plugin_does_not_stop_the_others(install):
    install(
        good=MODEL.format(name="good"),
        raises="raise RuntimeError('at import')",
        dies="import os; os._exit(3)",
        unversioned=MODEL.format(name="unversioned").replace("IIT_SDK = 1", ""),
        future=MODEL.format(name="future").replace("IIT_SDK = 1", "IIT_SDK = 99"),
        no_list=MODEL.format(name="no_list").replace("[Model()]", "Model()"),
        bad_name=MODEL.format(name="Bad Name"),
        misspelt=MODEL.format(name="misspelt").replace("def iit_models", "def iit_modles"),
        thief=MODEL.format(name="additive"),
    )

    registered = models()

    assert set(registered) == {"additive", "boosting", "good"}
    assert manager.is_first_party(manager.origin("additive")), "a stranger cannot take a first-party name"
    bad = {"raises", "dies", "unversioned", "future", "no_list", "bad_name", "misspelt", "thief"}
    assert failures() == {(name, "iit_models"): 1 for name in bad}


def test_third_party_code_is_never_imported_here(install):
    install(stranger=MODEL.format(name="stranger"))

    assert "stranger" in models()
    assert "stranger" not in sys.modules


def test_first_party_means_our_own_distribution(install):
    install(stranger=MODEL.format(name="stranger"))
    points = {point.name: point for point in entry_points(group="iit.plugins")}

    assert manager.is_first_party(points["boosting"])
    assert not manager.is_first_party(points["stranger"])


def test_looking_for_plugins_imports_no_heavy_library():
    script = (
        "import sys; from core.plugins import models; models();"
        "print([name for name in ('lightgbm', 'sklearn', 'scipy', 'pandas', 'shap') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_plugins_are_not_looked_for_within_a_transaction_nor_left_out_because_of_one(install, tenant):
    install(good=MODEL.format(name="good"))
    with tenant_session(tenant, actor="test:1"), pytest.raises(TransactionOpenError):
        models()
    assert "good" in models()
