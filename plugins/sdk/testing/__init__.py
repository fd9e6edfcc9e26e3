"""The contract tests: run them on a plugin, and it is right or says what is wrong.

    from plugins.sdk.testing import check_model
    check_model(MyPlugin())

Each check is also a function of its own in :data:`CHECKS`, to be run one by one under any test runner.
"""

from plugins.sdk.testing.checks import CHECKS, ContractError, check_model
from plugins.sdk.testing.data import small_data

__all__ = ["CHECKS", "ContractError", "check_model", "small_data"]
