"""Cycles of imports: modules that import each other, directly or through others, for types alone included."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def cycles(imported: Mapping[str, Collection[str]]) -> list[list[str]]:
    """The groups of two or more modules that import each other, by Tarjan's algorithm; sorted.

    Args:
        imported: for each module, the modules that it imports; modules that are no key are ignored.
    """
    search = _Search(imported)
    for module in sorted(imported):
        search.visit(module)
    return sorted(search.groups)


class _Search:
    def __init__(self, imported: Mapping[str, Collection[str]]) -> None:
        self._imported = imported
        self._number: dict[str, int] = {}
        self._lowest: dict[str, int] = {}
        self._open: list[str] = []
        self.groups: list[list[str]] = []

    def visit(self, module: str) -> None:
        if module in self._number:
            return
        self._number[module] = self._lowest[module] = len(self._number)
        self._open.append(module)
        for other in sorted(self._imported[module]):
            if other not in self._imported:
                continue
            self.visit(other)
            if other in self._open:
                self._lowest[module] = min(self._lowest[module], self._lowest[other])
        if self._lowest[module] == self._number[module]:
            at = self._open.index(module)
            group, self._open[at:] = sorted(self._open[at:]), []
            if len(group) > 1:
                self.groups.append(group)
