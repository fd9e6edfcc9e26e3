"""The SDK under its published name: the same objects as ``plugins.sdk``."""

from plugins.sdk import *  # noqa: F403 - the same names
from plugins.sdk import __all__  # noqa: F401 - exported as it is
