"""The contract tests: run them on a plugin. The first broken promise raises an error with the remedy.

    from plugins.sdk.testing import check_model
    check_model(MyPlugin())

:data:`CHECKS` has each check as a function of its own, for any test runner.
"""

from plugins.sdk.testing.checks import CHECKS, ContractError, check_model
from plugins.sdk.testing.data import small_data

__all__ = ["CHECKS", "ContractError", "check_model", "small_data"]
