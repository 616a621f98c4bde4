"""In which order a searchset comes, and what comes after a place in it.

Law of this file: without `_sort` the order is that of the ids, which never change; with it, a resource stands on every
page where it stood at the instant of the first, whatever has been written since.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cmp_to_key

from shared.core import Resource
from shared.messages import Catalogue
from shared.web.search import Query, values_of
from shared.web.sight import Found

AsOf = Callable[[Resource, str], Awaitable[Resource | None]]
"""(resource, instant) -> the version that stood then; None where there was none."""

Key = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """The order of one search."""

    catalogue: Catalogue
    query: Query

    @property
    def is_by_id(self) -> bool:
        return not self.query.sort

    async def stands(self, resource: Resource, at: str, as_of: AsOf) -> Key | None:
        """The place of a resource as it stood at an instant; None where it was not there yet."""
        if self.is_by_id or resource["meta"]["lastUpdated"] <= at:
            return self._key(resource)
        past = await as_of(resource, at)
        return self._key(past) if past is not None else None

    async def sorted(self, found: Sequence[Found], at: str, as_of: AsOf, after: Key | None = None) -> list[Found]:
        """What stood at this instant, in order, behind a place; what is new since comes on no later page."""
        keyed = [(key, match) for match in found if (key := await self.stands(match[0], at, as_of)) is not None]
        behind = [(k, match) for k, match in keyed if after is None or self._compared(k, after) > 0]
        place = cmp_to_key(self._compared)
        behind.sort(key=lambda keyed_match: place(keyed_match[0]))
        return [match for _, match in behind]

    def _key(self, resource: Resource) -> Key:
        return (*(self._value(resource, name, last=last) for name, last in self.query.sort), str(resource["id"]))

    def _value(self, resource: Resource, name: str, *, last: bool) -> str | None:
        """The least of a resource's values, the greatest where the order descends (R4 search, sorting)."""
        if name == "_id":
            return str(resource["id"])
        if name == "_lastUpdated":
            return str(resource["meta"]["lastUpdated"])
        values = values_of(self.catalogue, resource, name)
        return (max if last else min)(values) if values else None

    def _compared(self, one: Key, other: Key) -> int:
        """Negative where one comes first; what has no value comes last either way."""
        directions = [last for _, last in self.query.sort] + [False]
        for first, second, last in zip(one, other, directions, strict=True):
            if first != second:
                if first is None or second is None:
                    return 1 if first is None else -1
                return (1 if first > second else -1) * (-1 if last else 1)
        return 0
