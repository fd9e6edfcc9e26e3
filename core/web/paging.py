"""Pages of a list: ``page`` and ``page_size`` in the query, one shape of answer for every list."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Query, Request
from pydantic import BaseModel, Field

PAGE_SIZE = 50
PAGE_SIZE_MAX = 500
PAGE_MAX = 1_000_000
_OWN = frozenset({"page", "page_size"})

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page the caller asks for; pages count from 1.

    Attributes:
        path: of the list, for the links to the pages beside this one.
        query: the caller's other parameters, which those links repeat.
    """

    page: int = 1
    page_size: int = PAGE_SIZE
    path: str = ""
    query: tuple[tuple[str, str], ...] = ()

    @property
    def limit(self) -> int:
        """Rows at most."""
        return self.page_size

    @property
    def offset(self) -> int:
        """Rows to pass over."""
        return (self.page - 1) * self.page_size

    def at(self, path: str) -> "PageRequest":
        """The same page of the list at another path, with no other parameter: of a list that this request makes."""
        return replace(self, path=path, query=())

    def head(self, total: int) -> dict[str, Any]:
        """What an answer says of the page beside its rows: ``page``, ``page_size``, ``total`` and the links."""
        last = max(1, -(-total // self.page_size))
        return {
            "page": self.page,
            "page_size": self.page_size,
            "total": total,
            "next": self._link(self.page + 1) if self.page < last else None,
            "previous": self._link(min(self.page - 1, last)) if self.page > 1 else None,
        }

    def _link(self, page: int) -> str:
        return f"{self.path}?{urlencode([*self.query, ('page', page), ('page_size', self.page_size)])}"


async def page_request(
    request: Request,
    page: Annotated[int, Query(ge=1, le=PAGE_MAX, description="Page, counted from 1.", examples=[1])] = 1,
    page_size: Annotated[
        int, Query(ge=1, le=PAGE_SIZE_MAX, description="Rows per page.", examples=[PAGE_SIZE])
    ] = PAGE_SIZE,
) -> PageRequest:
    """The page that the query asks for."""
    others = tuple(pair for pair in request.query_params.multi_items() if pair[0] not in _OWN)
    return PageRequest(page, page_size, request.url.path, others)


Paging = Annotated[PageRequest, Depends(page_request)]
"""In a route's signature: the page that the caller asks for."""


class Page(BaseModel, Generic[Item]):
    """One page of a list, and how many rows there are in all."""

    items: list[Item] = Field(description="The rows of this page.")
    page: int = Field(description="This page, counted from 1.", examples=[1])
    page_size: int = Field(description="Rows per page.", examples=[PAGE_SIZE])
    total: int = Field(description="Rows in all.")
    next: str | None = Field(description="Path and query of the next page; null on the last one.", examples=[None])
    previous: str | None = Field(
        description="Path and query of the page before; null on the first one.", examples=[None]
    )

    @classmethod
    def of(cls, items: Sequence[Item], paging: PageRequest, total: int) -> "Page[Item]":
        """The page that ``paging`` asked for."""
        return cls(items=list(items), **paging.head(total))
