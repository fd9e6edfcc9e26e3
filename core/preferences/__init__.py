"""A tenant's settings, in groups that rooms register: one API, one command and one reference page for all."""

from core.preferences.registry import Group, group, groups
from core.preferences.service import GroupState, amend, amended, read, read_all, replace, reset

__all__ = ["Group", "GroupState", "amend", "amended", "group", "groups", "read", "read_all", "replace", "reset"]
