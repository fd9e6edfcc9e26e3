"""Tests each promise that a model makes to the platform."""

import pytest

from example_model import iit_models
from plugins.sdk import PluginContext
from plugins.sdk.testing import CHECKS
from plugins.sdk.testing.checks import Subject, subject


@pytest.fixture(scope="module")
def ready() -> Subject:
    """Return the plugin's model, after one fit."""
    (plugin,) = iit_models(PluginContext())
    return subject(plugin)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract_is_kept(ready, check):
    """Each check of the SDK passes."""
    check(ready)
