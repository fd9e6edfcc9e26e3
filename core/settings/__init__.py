"""The settings of this installation, read one time per process."""

from core.settings.load import get_settings, make_private, master_key
from core.settings.model import CHECKOUT, Settings, environment_name

__all__ = ["CHECKOUT", "Settings", "environment_name", "get_settings", "make_private", "master_key"]
