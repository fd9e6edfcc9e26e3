"""The contract tests under their published name: ``from iit_sdk.testing import AlertChannelContract``."""

from plugins.sdk.testing import *  # noqa: F403 - the same names
from plugins.sdk.testing import __all__  # noqa: F401 - exported as it is
