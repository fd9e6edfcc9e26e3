"""Folders that features register beside a module, such as ``"tenants.portal.feature:templates"``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from core.feature_registry import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def folder_of(reference: str) -> Path:
    """Return the folder that ``"module:folder"`` names, which is beside the module's file.

    Raises:
        LookupError: there is no such folder.
    """
    module, _, name = reference.partition(":")
    folder = Path(resolve(module).__file__).parent / name
    if not name or not folder.is_dir():
        message = f"{reference!r} names no folder beside a module: write module:folder"
        raise LookupError(message)
    return folder


def folders_of(registered: Iterable[Mapping[str, str]]) -> dict[str, Path]:
    """Return the folder of each prefix, over all features.

    Raises:
        LookupError: two features have the same prefix, a prefix is not a name, or a folder is missing.
    """
    folders: dict[str, Path] = {}
    for references in registered:
        for prefix, reference in references.items():
            if prefix in folders or not prefix.isidentifier():
                message = f"the prefix {prefix!r} of {reference!r} is taken or not a name: choose another"
                raise LookupError(message)
            folders[prefix] = folder_of(reference)
    return folders
