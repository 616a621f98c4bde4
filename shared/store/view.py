"""What a transaction knows of its lanes: read once, under their locks, and kept up with what it decides.

Law of this file: what stands here is what the transaction itself would read; who holds a lane alone changes it.
What no lane protects (a prescriber of two patients) is proved when it is written: by then it may be another version.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from shared.core import Resource
from shared.ports import Transaction
from shared.store.reading import StoreReader
from shared.store.resources import Stored, current, of_lanes


@dataclass(slots=True)
class View:
    """Resources by id; None: there is none of this id."""

    tx: Transaction
    _known: dict[str, Stored | None] = field(default_factory=dict)
    _lanes: set[str] = field(default_factory=set)

    async def load(self, lanes: Iterable[str], ids: Iterable[str] = ()) -> None:
        """Reads these lanes whole, and what else is asked for by its id, as far as it is not known yet."""
        new, asked = sorted(set(lanes) - self._lanes), sorted({id_ for id_ in ids if id_ not in self._known})
        if new:
            for id_, stored in (await of_lanes(self.tx, new, asked)).items():
                self._known.setdefault(id_, stored)
            self._lanes.update(new)
            self._known |= {id_: None for id_ in asked if id_ not in self._known}
        await self.current(asked)

    async def current(self, ids: Iterable[str]) -> dict[str, Stored]:
        """The current versions of these resources."""
        asked = list(ids)
        if unknown := sorted({id_ for id_ in asked if id_ not in self._known}):
            found = await current(self.tx, unknown)
            self._known |= {id_: found.get(id_) for id_ in unknown}
        return {id_: stored for id_ in asked if (stored := self._known[id_]) is not None}

    async def of_lane(self, lane: str) -> list[Stored]:
        """Every current resource of a lane, oldest first."""
        await self.load((lane,))
        found = [s for s in self._known.values() if s is not None and s.lane == lane]
        return sorted(found, key=lambda s: (s.updated, s.resource["id"]))

    def put(self, stored: Stored) -> None:
        """What is written from now on."""
        self._known[stored.resource["id"]] = stored


class LaneReader(StoreReader):
    """`ports.Reader` of a decision: its lanes from the view, all else from the database.

    written  brings what the transaction has decided so far to where a search finds it.
    """

    def __init__(
        self, view: View, written: Callable[[], Awaitable[None]], upcast: Callable[[Resource], Resource]
    ) -> None:
        super().__init__(view.tx, upcast)
        self._view, self._written = view, written

    async def read(self, resource_id: str) -> Resource | None:
        return (await self.several([resource_id])).get(resource_id)

    async def several(self, ids: Iterable[str]) -> dict[str, Resource]:
        asked = list(ids)
        found = await self._view.current(asked)
        self.seen |= {id_: None for id_ in asked if id_ not in found}
        return {id_: self._noticed(stored.resource) for id_, stored in found.items()}

    async def of_lane(self, lane: str, *types: str) -> list[Resource]:
        found = [s.resource for s in await self._view.of_lane(lane)]
        return [self._noticed(r) for r in found if not types or r["resourceType"] in types]

    async def count(self, resource_type: str, parameter: str, value: str) -> int:
        await self._written()
        return await super().count(resource_type, parameter, value)

    async def search(self, resource_type: str, parameter: str, value: str) -> list[Resource]:
        await self._written()
        return await super().search(resource_type, parameter, value)
