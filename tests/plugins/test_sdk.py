"""The SDK's own types, and that it is a distribution that stands alone."""

from __future__ import annotations

import base64
import io
import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import plugins.sdk
from plugins.sdk import (
    Artifact,
    BadArtifactError,
    BadDataError,
    FeatureSpec,
    HttpRequest,
    TrainingData,
    logit,
    seal,
    secret,
    sent,
    sigmoid,
    verify,
)
from plugins.sdk.testing import CHECKS, AlertChannelContract, ContractError

SDK = Path(plugins.sdk.__file__).parent
FEATURE = FeatureSpec("days_late", "continuous", unit="days")


def data(**changes):
    fields = {"X": np.zeros((4, 1)), "y": np.array([0, 1, 0, 1]), "group": np.arange(4), "features": (FEATURE,)}
    return TrainingData(**{**fields, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": np.zeros((4, 2))}, "shape"),
        ({"X": np.zeros(4)}, "shape"),
        ({"X": np.full((4, 1), np.inf)}, "infinite"),
        ({"X": [["a"], ["b"], ["c"], ["d"]]}, "numbers"),
        ({"y": np.array([0, 1, 2, 1])}, "0 and 1"),
        ({"y": np.zeros(4)}, "both outcomes"),
        ({"y": np.array([0, 1])}, "shape"),
        ({"group": np.array([0.5, 1, 2, 3])}, "integer"),
        ({"features": ()}, "at least one"),
        ({"features": (FEATURE, FEATURE), "X": np.zeros((4, 2))}, "unique"),
        ({"X_val": np.zeros((1, 1))}, "together"),
        ({"X_val": np.zeros((1, 2)), "y_val": np.zeros(1)}, "shape"),
    ],
)
def test_training_data_that_cannot_be_used_is_rejected(changes, message):
    with pytest.raises(BadDataError, match=message):
        data(**changes)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "", "kind": "continuous"},
        {"name": "a", "kind": "ordinal"},
        {"name": "a", "kind": "categorical"},
        {"name": "a", "kind": "binary", "categories": ("x",)},
    ],
)
def test_features_that_make_no_sense_are_rejected(wrong):
    with pytest.raises(BadDataError):
        FeatureSpec(**wrong)


def test_a_feature_survives_json():
    feature = FeatureSpec("care", "categorical", "", "How.", "here", ("a", "b"), version=3)

    assert FeatureSpec.from_json(feature.to_json()) == feature
    with pytest.raises(BadDataError):
        FeatureSpec.from_json({"name": "care"})


def test_a_feature_that_was_stored_without_a_version_is_of_version_1():
    stored = FeatureSpec("late", "continuous").to_json()
    del stored["version"]

    assert FeatureSpec.from_json(stored) == FeatureSpec("late", "continuous", version=1)


@pytest.mark.parametrize("version", [0, True, "1", 1.0])
def test_the_version_of_a_feature_is_a_whole_number_from_1(version):
    with pytest.raises(BadDataError, match="whole number"):
        FeatureSpec("late", "continuous", version=version)


class Evil:
    def __reduce__(self):
        return (print, ("owned",))


def _npy(array, **how):
    buffer = io.BytesIO()
    np.save(buffer, array, **how)
    return buffer.getvalue()


def _zip(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        *(pickle.dumps(Evil(), protocol=protocol) for protocol in range(6)),
        _npy(np.array([Evil()], dtype=object), allow_pickle=True),
        _zip(**{"a.npy": _npy(np.array([{}], dtype=object), allow_pickle=True)}),
        _zip(**{"a.pkl": b"x"}),
        b"PK\x03\x04 not a zip",
        b"\x7fELF...",
        b"\x1f\x8bgzip",
    ],
)
def test_code_pickles_and_hidden_contents_cannot_be_sealed(content):
    with pytest.raises(BadArtifactError):
        seal("x/1", {"model.bin": content})


def test_arrays_json_and_text_can_be_sealed():
    buffer = io.BytesIO()
    np.savez(buffer, a=np.arange(3.0), b=np.eye(2))

    artifact = seal(
        "x/1", {"a.npy": _npy(np.eye(3)), "b.npz": buffer.getvalue(), "c.json": b"{}", "d.txt": b"cos of 1"}
    )

    verify(artifact, "x/1")


@pytest.mark.parametrize("name", ["../a", "a/b", "A.json", "", ".hidden", "a" * 99, "a.json\n"])
def test_file_names_are_plain(name):
    with pytest.raises(BadArtifactError, match="name"):
        seal("x/1", {name: b"{}"})


def test_nothing_but_the_sealed_bytes_verifies():
    good = seal("x/1", {"a.json": b"{}", "b.txt": b"b"})

    for files in (
        {**good.files, "a.json": b"{ }"},
        {**good.files, "c.txt": b""},
        {name: content for name, content in good.files.items() if name != "b.txt"},
        {name: content for name, content in good.files.items() if name != "manifest.json"},
        {**good.files, "manifest.json": b"[]"},
        {},
    ):
        with pytest.raises(BadArtifactError):
            verify(Artifact("x/1", files), "x/1")
    with pytest.raises(BadArtifactError, match="format"):
        verify(good, "x/2")


@given(arrays(np.float64, 5, elements=st.floats(-1e308, 1e308)))
def test_the_sigmoid_stays_inside_the_open_interval(x):
    p = sigmoid(x)

    assert ((p > 0) & (p < 1)).all()
    inside = np.abs(x) < 20
    np.testing.assert_allclose(logit(p)[inside], x[inside], atol=1e-6)


def test_the_wheel_needs_numpy_and_pluggy_only_and_carries_the_template(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith("METADATA"))
        text = archive.read(metadata).decode()

    needed = {line.split()[1].split(">")[0] for line in text.splitlines() if line.startswith("Requires-Dist")}
    assert needed == {"numpy", "pluggy"}
    assert "plugins/sdk/hooks.py" in names
    assert "plugins/sdk/py.typed" in names
    assert "plugins/sdk/template/example_model/model.py" in names
    assert "plugins/__init__.py" not in names
    assert not any(name.startswith(("core", "tenants")) for name in names)


def test_a_plugin_made_from_the_template_passes_with_the_wheel_alone(wheel, tmp_path):
    installed = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    project = tmp_path / "my-model"
    shutil.copytree(installed / "plugins" / "sdk" / "template", project)
    # An interpreter that sees the wheel, numpy, pluggy and pytest, and nothing of the platform's checkout.
    script = f"""
import sys
checkout = {str(SDK.parents[1])!r}
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in str(finder)]
sys.path_hooks[:] = [hook for hook in sys.path_hooks if "editable" not in str(hook)]
others = [p for p in sys.path if p and p != checkout and "editable" not in p]
sys.path[:] = [{str(installed)!r}, {str(project)!r}, *others]
import plugins.sdk, pytest
assert plugins.sdk.__file__.startswith({str(installed)!r}), plugins.sdk.__file__
code = pytest.main(["-q", "-p", "no:cacheprovider", "--import-mode=importlib", {str(project)!r}])
assert "core" not in sys.modules and "tenants" not in sys.modules
sys.exit(code)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=project, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CHECKS)} passed" in done.stdout


def test_importing_the_sdk_loads_nothing_heavy():
    heavy = {"scipy", "sklearn", "lightgbm", "pandas"}
    script = f"import sys, plugins.sdk, plugins.additive, plugins.boosting; print({heavy!r} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"


@given(st.binary(max_size=60))
def test_any_bytes_are_rejected_or_verify(content):
    try:
        artifact = seal("x/1", {"a.bin": content})
    except BadArtifactError:
        return
    verify(artifact, "x/1")
    assert artifact.files["a.bin"] == content, base64.b64encode(content)


@pytest.fixture(scope="module")
def bare_site(wheel, tmp_path_factory):
    """A folder with the wheel alone."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def test_a_new_plugin_of_each_kind_passes_its_tests_at_once_with_the_wheel_alone(bare_site, tmp_path):
    script = f"""
import sys
from pathlib import Path
checkout, folder = {str(SDK.parents[1])!r}, Path({str(tmp_path)!r})
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in str(finder)]
sys.path_hooks[:] = [hook for hook in sys.path_hooks if "editable" not in str(hook)]
sys.path[:] = [{str(bare_site)!r}, *(p for p in sys.path if p and p != checkout and "editable" not in p)]
import iit_sdk, plugins.sdk, pytest
from plugins.sdk.new_plugin import KINDS, write_plugin
assert iit_sdk.Alert is plugins.sdk.Alert and iit_sdk.__file__.startswith({str(bare_site)!r})
folders = [write_plugin(folder, "my-" + kind, kind) for kind in KINDS]
sys.path[:0] = [str(each) for each in folders]
code = pytest.main(["-q", "-p", "no:cacheprovider", "--import-mode=importlib", *map(str, folders)])
assert "core" not in sys.modules
sys.exit(code)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.glob("my-*/pyproject.toml"))) == 6


def test_a_contract_names_the_promise_that_is_broken():
    class Forgetful:
        name, title, version, per_minute = "forgetful", "Forgetful", "1", 1

        def settings_schema(self):
            return {"type": "object", "properties": {"key": {"type": "string", "writeOnly": True, "title": "Key"}}}

        def requests(self, alert, settings):
            return [HttpRequest("POST", "https://" + settings["key"] + ".example.org/")]

        def outcome(self, response, settings):
            return sent()

        def signature(self, settings):
            return None

        def acts(self, request, settings):
            raise ValueError

    class Contract(AlertChannelContract):
        plugin, settings = Forgetful(), {"key": secret("key")}

    contract = Contract()
    contract.test_says_what_it_is()
    with pytest.raises(ContractError, match="a host"):
        contract.test_describes_requests_for_every_act()
    with pytest.raises(ContractError, match="no answer came"):
        contract.test_understands_every_answer()
    with pytest.raises(ValueError):  # noqa: PT011 - the plugin's own
        contract.test_reads_any_request_of_its_vendor()
