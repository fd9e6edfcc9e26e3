"""The contract tests: run them on a plugin. The first broken promise raises an error with the remedy.

    from plugins.sdk.testing import check_model
    check_model(MyPlugin())

Other kinds have a class of tests for pytest, such as ``AlertChannelContract``; see ``plugins.sdk.testing.contracts``.
:data:`CHECKS` has each check as a function of its own, for any test runner.
"""

from plugins.sdk.testing.checks import CHECKS, ContractError, check_model
from plugins.sdk.testing.contracts import (
    AlertChannelContract,
    EventListenerContract,
    ImporterContract,
    ModelContract,
    RagSourceContract,
    SmsGatewayContract,
)
from plugins.sdk.testing.data import small_data

__all__ = [
    "CHECKS",
    "AlertChannelContract",
    "ContractError",
    "EventListenerContract",
    "ImporterContract",
    "ModelContract",
    "RagSourceContract",
    "SmsGatewayContract",
    "check_model",
    "small_data",
]
