"""Pages of a list: ``page`` and ``page_size`` in the query, one shape of answer for every list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field

PAGE_SIZE = 50
PAGE_SIZE_MAX = 500
PAGE_MAX = 1_000_000

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page the caller asks for; pages count from 1."""

    page: int = 1
    page_size: int = PAGE_SIZE

    @property
    def limit(self) -> int:
        """Rows at most."""
        return self.page_size

    @property
    def offset(self) -> int:
        """Rows to pass over."""
        return (self.page - 1) * self.page_size


async def page_request(
    page: Annotated[int, Query(ge=1, le=PAGE_MAX, description="Page, counted from 1.", examples=[1])] = 1,
    page_size: Annotated[
        int, Query(ge=1, le=PAGE_SIZE_MAX, description="Rows per page.", examples=[PAGE_SIZE])
    ] = PAGE_SIZE,
) -> PageRequest:
    """The page that the query asks for."""
    return PageRequest(page, page_size)


Paging = Annotated[PageRequest, Depends(page_request)]
"""In a route's signature: the page that the caller asks for."""


class Page(BaseModel, Generic[Item]):
    """One page of a list, and how many rows there are in all."""

    items: list[Item] = Field(description="The rows of this page.")
    page: int = Field(description="This page, counted from 1.")
    page_size: int = Field(description="Rows per page.")
    total: int = Field(description="Rows in all.")

    @classmethod
    def of(cls, items: Sequence[Item], paging: PageRequest, total: int) -> "Page[Item]":
        """The page that ``paging`` asked for."""
        return cls(items=list(items), page=paging.page, page_size=paging.page_size, total=total)
