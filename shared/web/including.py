"""What comes with the matches of a search: what they refer to, and what refers to them, where the client may see it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

from shared.core import Resource, reference
from shared.messages import Catalogue
from shared.smart.scopes import allows
from shared.smart.tokens import Access
from shared.web.requests import refused
from shared.web.search import SCANNED, Include, Query, values_of
from shared.web.sight import Found, Sight

AT_ONCE = 200
"""Ids asked for in one search."""

Find = Callable[[Query], Awaitable[tuple[list[Found], int]]]
"""What matches at every owner, and how many."""


class Including:
    """Follows references to and from matches, over every owner."""

    def __init__(self, catalogue: Catalogue, sight: Sight, find: Find) -> None:
        self._catalogue, self._sight, self._find = catalogue, sight, find

    async def included(self, access: Access, query: Query, shown: Sequence[Resource]) -> list[Resource]:
        """Each resource once, and none that is a match itself."""
        there = {reference(r) for r in shown}
        found: dict[str, Resource] = {}
        for include in query.includes if shown else ():
            for resource in await self._of(access, include, shown):
                if (place := reference(resource)) not in there:
                    found.setdefault(place, resource)
        if len(found) > SCANNED:
            raise _too_many()
        return list(found.values())

    async def _of(self, access: Access, include: Include, shown: Sequence[Resource]) -> list[Resource]:
        asked = self._referring(include, shown) if include.reverse else self._referred(include, shown)
        found: list[Found] = []
        for query in asked:
            if allows(access.scopes, query.kind, "search-type" if include.reverse else "read"):
                matched, total = await self._find(query)
                if total > len(matched):
                    raise _too_many()
                found += matched
        return [resource for resource, _ in await self._sight.among(access, found)]

    def _referring(self, include: Include, shown: Sequence[Resource]) -> Iterator[Query]:
        for places in _some([reference(r) for r in shown]):
            yield Query(include.source, ((include.parameter, ",".join(places)),), SCANNED)

    def _referred(self, include: Include, shown: Sequence[Resource]) -> Iterator[Query]:
        targets = {t for r in shown for t in self._targets(r, include.parameter)}
        for kind in sorted({t.partition("/")[0] for t in targets} & self._held):
            if include.target in (None, kind):
                ids = sorted(t.partition("/")[2] for t in targets if t.startswith(f"{kind}/"))
                yield from (Query(kind, (("_id", ",".join(some)),), SCANNED) for some in _some(ids))

    @property
    def _held(self) -> frozenset[str]:
        return frozenset(kind for service in self._catalogue.services for kind in service.owns)

    def _targets(self, resource: Resource, parameter: str) -> Iterable[str]:
        """`Type/id` of what a resource refers to by a parameter."""
        values = values_of(self._catalogue, resource, parameter)
        return (v for v in values if "/" in v and "|" not in v)


def _some(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[n : n + AT_ONCE] for n in range(0, len(texts), AT_ONCE))


def _too_many() -> Exception:
    return refused(400, "too-costly", "fewer matches, or fewer kinds to come with them, would be right")
