"""Whether a service's copies are what their owners have: count and hash by kind and bucket, ids where they differ.

Buckets are by id: what two patients share, as a prescriber, may stand in another lane at its owner than in a copy.
"""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shared import store
from shared.borders import kind_of
from shared.core import Service
from shared.decide import UNSENT
from shared.ports import Database, Row

BUCKETS = 16
PAGE = 500
_CODED = {"Task", "Appointment", "ServiceRequest", "ClaimResponse"}
"""Types of which only the resource itself says its kind."""

Digest = Mapping[str, tuple[int, str]]
"""`<kind>|<bucket>` -> how many, and the sum of their hashes modulo 2^64, in hexadecimal."""

Entries = Mapping[str, tuple[str, str, str]]
"""id -> version, lane and kind."""


@dataclass(frozen=True, slots=True)
class Drift:
    """One resource a hearer does not hold as its owner has it; versions are "" where there is none."""

    owner: str
    hearer: str
    kind: str
    id: str
    lane: str
    owned: str
    held: str

    @property
    def is_ahead(self) -> bool:
        """Whether the hearer knows more than the owner: the owner's database is an earlier copy."""
        return _pair(self.held) > _pair(self.owned)

    @property
    def repair(self) -> str:
        """The command that mends it."""
        if self.is_ahead:
            return f"carepod restored {self.owner}"
        return f"carepod backfill {self.hearer} --from {self.owner} --lane {self.lane}"


def _pair(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-")) if version else ()


async def digest_of(database: Database, owner: Service, hearer: Service) -> Digest:
    """What a store holds of an owner's resources, as far as the hearer reads them."""
    found: dict[str, tuple[int, int]] = {}
    async for kind, id_, version, _ in _held(database, owner, hearer):
        place = f"{kind}|{bucket_of(id_)}"
        count, total = found.get(place, (0, 0))
        found[place] = (count + 1, (total + _hash(id_, version)) % 2**64)
    return {place: (count, f"{total:016x}") for place, (count, total) in found.items()}


async def entries_of(database: Database, owner: Service, hearer: Service, places: Sequence[str]) -> Entries:
    """The resources behind these entries of a digest."""
    wanted = set(places)
    return {
        id_: (version, lane, kind)
        async for kind, id_, version, lane in _held(database, owner, hearer)
        if f"{kind}|{bucket_of(id_)}" in wanted
    }


def bucket_of(resource_id: str) -> int:
    """The bucket of a resource, the same in every process."""
    return zlib.crc32(resource_id.encode()) % BUCKETS


def _hash(resource_id: str, version: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{resource_id} {version}".encode(), digest_size=8).digest())


async def _held(database: Database, owner: Service, hearer: Service) -> AsyncIterator[tuple[str, str, str, str]]:
    """(kind, id, version, lane) of each."""
    types, after = sorted((hearer.listens & owner.owns) - UNSENT), ""
    while True:
        async with database.reading() as tx:
            rows = await store.held_of(tx, owner.name, types, after, PAGE)
        if not rows:
            return
        after = rows[-1][0]
        for row in rows:
            kind = _kind(row)
            if not hearer.reads or kind in hearer.reads:
                yield kind, row[0], f"{row[3]}-{row[4]}", row[2]


def _kind(row: Row) -> str:
    return kind_of(store.parsed(row[5])) if row[1] in _CODED else str(row[1])


class Owners:
    """Where owners' digests come from: stores at hand, else another process (`Elsewhere`)."""

    def __init__(self, own: Callable[[str], Database | None], elsewhere: Elsewhere | None = None) -> None:
        self._own, self._elsewhere = own, elsewhere

    async def digest(self, owner: Service, hearer: Service) -> Digest | None:
        """None where nobody answers for the owner."""
        database = self._own(owner.name)
        if database is not None:
            return await digest_of(database, owner, hearer)
        found = await self._elsewhere(owner.name, hearer.name, ()) if self._elsewhere else None
        return None if found is None else {place: (int(n), str(h)) for place, (n, h) in found.items()}

    async def entries(self, owner: Service, hearer: Service, places: Sequence[str]) -> Entries | None:
        """None where nobody answers for the owner."""
        database = self._own(owner.name)
        if database is not None:
            return await entries_of(database, owner, hearer, places)
        found = await self._elsewhere(owner.name, hearer.name, places) if self._elsewhere else None
        return (
            None if found is None else {id_: (str(v), str(lane), str(kind)) for id_, (v, lane, kind) in found.items()}
        )


Elsewhere = Callable[[str, str, Sequence[str]], Awaitable[Mapping[str, Sequence[str | int]] | None]]
"""(owner, hearer, places) -> the digest, or the entries of these places, as the owner's process has them; else None."""


@dataclass(frozen=True, slots=True)
class Compared:
    """How many copies of one owner were compared, and those that differ; `state` says whether the owner answered."""

    owner: str
    count: int
    drift: tuple[Drift, ...]
    state: Literal["compared", "no answer"] = "compared"


async def compared(owner: Service, hearer: Service, database: Database, owners: Owners, settle: float) -> Compared:
    """Compares twice, some seconds apart: only what differs both times in the same way is drift, not on its way."""
    held, owned = await digest_of(database, owner, hearer), await owners.digest(owner, hearer)
    count = sum(n for n, _ in held.values())
    if owned is None:
        return Compared(owner.name, count, (), "no answer")
    places = sorted(p for p in {*held, *owned} if held.get(p) != owned.get(p))
    first = await _drift(owner, hearer, database, owners, places) if places else set()
    if not first:
        return Compared(owner.name, count, ())
    await asyncio.sleep(settle)
    again = await _drift(owner, hearer, database, owners, places)
    return Compared(owner.name, count, tuple(sorted(first & again, key=lambda d: (d.kind, d.id))))


async def _drift(
    owner: Service, hearer: Service, database: Database, owners: Owners, places: Sequence[str]
) -> set[Drift]:
    held, owned = await entries_of(database, owner, hearer, places), await owners.entries(owner, hearer, places)
    if owned is None:
        return set()
    nothing = ("", "", "")
    pairs = {id_: (owned.get(id_, nothing), held.get(id_, nothing)) for id_ in {*held, *owned}}
    return {
        Drift(owner.name, hearer.name, theirs[2] or ours[2], id_, theirs[1] or ours[1], theirs[0], ours[0])
        for id_, (theirs, ours) in pairs.items()
        if theirs[0] != ours[0]
    }
