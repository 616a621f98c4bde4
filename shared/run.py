"""The run loop: lanes, inbox row, gather, coordinate, save, commit. The only place that commits decisions.

Law of this file:
* every transaction first locks the lanes it needs, sorted; what it decides, it decides on facts read under those locks;
* inbox row, saves, history, capacity, wakes, deliveries, audit and outbox are one transaction or none;
* a message, a command, an answer and a wake go the same way; only what admits them differs.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import NAMESPACE_OID, uuid5

from shared import store
from shared.clock import Clock
from shared.core import Event, Service
from shared.decide import Check, Decider, MoreLanes, Outcome, Unfit
from shared.failpoints import Failpoints
from shared.failures import described
from shared.messages import Catalogue, Letter, Malformed, merged, new_trace, opened
from shared.ports import Conflict, Database, Incoming, Transaction, Unavailable
from shared.turns import Turns

__all__ = ["Check", "Outcome", "Runner", "Unfit"]

log = logging.getLogger("carepod.run")

ATTEMPTS = 6
"""How often a message is tried before it is parked."""
ROUNDS = 60
"""How often one event may ask for more lanes or meet a conflict before it counts as failed."""
ASIDE = 3
"""How many lanes of a batch may fail before all of it is decided lane by lane."""
CAUSE_PATIENCE = timedelta(seconds=30)
"""How long a message waits for what it rests on before that is fetched from its producer."""
LONGEST_PATIENCE = timedelta(minutes=10)

Admit = Callable[[Transaction], Awaitable[bool]]
Letters = Sequence[tuple[Letter, Incoming]]


@dataclass(slots=True)
class _Work:
    """What one transaction is at: which row was decided last, how many, and who waits for what."""

    row: store.Unfinished | None = None
    decided: int = 0
    missing: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Advance:
    """How many messages of a lane were decided, and (producer, id) of what others have waited for too long."""

    decided: int
    missing: frozenset[tuple[str, str]] = frozenset()


class Runner:
    """Runs the events of one service, from anywhere, one transaction each (messages: one a batch)."""

    def __init__(
        self,
        service: Service,
        database: Database,
        catalogue: Catalogue,
        check: Check,
        clock: Clock,
        partitions: int,
        failpoints: Failpoints,
    ) -> None:
        self.service, self.database, self.catalogue = service, database, catalogue
        self.clock, self.failpoints = clock, failpoints
        self._check = check
        self._decider = Decider(service, catalogue, check, clock, partitions)
        self.committed: list[Callable[[], None]] = []
        """Called after every commit: nudges of the relay and the workers."""

    # One event: a command, an answer or a wake

    async def take(
        self, event: Event, *, admit: Admit | None = None, identities: Sequence[tuple[str, str, str]] = ()
    ) -> Outcome | None:
        """Decides one event and commits; None when `admit`, asked under the lanes, says it is no longer wanted.

        Raises Conflict or Unavailable when it could not be decided: the same may be asked again.
        """
        lanes = frozenset({event.lane})
        for turn in range(ROUNDS):
            try:
                outcome = await self._taken(event, lanes, admit, identities)
            except MoreLanes as more:
                lanes |= more.lanes
            except Conflict:
                await _pause(turn)
            else:
                self._after_commit()
                return outcome
        raise Conflict("no decision within the rounds allowed")

    async def _taken(
        self, event: Event, lanes: frozenset[str], admit: Admit | None, identities: Sequence[tuple[str, str, str]]
    ) -> Outcome | None:
        async with self.database.writing() as tx:
            unit = store.Unit(tx, await store.locked(tx, lanes))
            if admit is not None and not await admit(tx):
                return None
            event = replace(event, at=unit.lane(event.lane).tick(event.at))
            await store.identify(tx, event.source, identities)
            outcome = await self._decider.decided(unit, event, new_trace(event.id or event.lane))
            await unit.flush()
            self.failpoints.reach("loop.before_commit")
        return outcome

    # Messages

    async def receive(self, messages: Sequence[Incoming]) -> None:
        """Takes a batch of messages in one transaction; lanes where that fails are decided apart.

        Returns when every one is in the inbox (done, waiting or parked): then they may be acknowledged. Raises only
        what the same batch, given again, may overcome.
        """
        letters = []
        # Queues are bound by type, so a service gets what it says itself of a type it hears of others.
        for message in (m for m in messages if m.headers.get("producer") != self.service.name):
            try:
                letters.append((self._opened(message), message))
            except Malformed as malformed:
                await self._parked(message, malformed)
        if letters:
            for lane in sorted(await self._batch(letters)):
                await self.advance(lane)
        self.failpoints.reach("consumer.before_ack")

    def _opened(self, message: Incoming) -> Letter:
        letter = opened(message, self.catalogue)
        try:
            fits = not any(self._check(r) for r in letter.resources)
        except Exception as error:  # noqa: BLE001
            log.warning("a message could not be checked: %s", described(error))
            fits = False
        if not fits:
            raise Malformed("profile", letter)
        return letter

    async def _batch(self, letters: Letters) -> frozenset[str]:
        """Puts the messages into the inbox and decides what can be; returns the lanes left to be decided apart."""
        lanes = frozenset(letter.lane for letter, _ in letters)
        apart: frozenset[str] = frozenset()
        while True:
            work = _Work()
            try:
                await self._received(letters, lanes - apart, work)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001
                log.info("a batch is decided apart: %s", described(error))
                if apart == lanes:
                    await self._one_by_one(letters)
                    return lanes
                apart = _further(apart, lanes, work.row)
            else:
                return apart

    async def _received(self, letters: Letters, deciding: frozenset[str], work: _Work) -> None:
        async with self.database.writing() as tx:
            unit = store.Unit(tx, await store.locked(tx, {letter.lane for letter, _ in letters}))
            fresh = await self._put(unit, letters)
            lanes = {letter.lane for letter in fresh.values()} & deciding
            if lanes:
                await self._advanced(unit, lanes, work, fresh)
            await unit.flush()
            self.failpoints.reach("loop.before_commit")
        self._after_commit()

    async def _put(self, unit: store.Unit, letters: Letters) -> dict[str, Letter]:
        """Puts what is new into the inbox, or completes what was waiting for its rest; returns those."""
        known = await store.known(unit.tx, [letter.id for letter, _ in letters])
        fresh: dict[str, Letter] = {}
        rows = []
        for letter, message in letters:
            status = known.setdefault(letter.id, "")
            if letter.id in fresh or (status and not (status == "waiting" and letter.whole)):
                continue
            fresh[letter.id] = letter
            if status:
                await store.fill(unit.tx, letter, message)
            else:
                rows.append(store.inbox_row(letter, message, unit.lane(letter.lane).tick(self.clock())))
        await store.put(unit.tx, rows)
        return fresh

    async def _one_by_one(self, letters: Letters) -> None:
        """What cannot be stored even alone is parked as it came."""
        for letter, message in letters:
            try:
                await self._received([(letter, message)], frozenset(), _Work())
            except (Unavailable, Conflict):
                raise
            except Exception as error:  # noqa: BLE001
                log.warning("a message could not be stored: %s", described(error))
                await self._parked(message, Malformed("unstorable"))

    async def _parked(self, message: Incoming, malformed: Malformed) -> None:
        """Parks a message that cannot be taken; where it could be read, a newer version can still close it."""
        letter = malformed.letter
        async with self.database.writing() as tx:
            if letter is None:
                id_ = message.id or str(uuid5(NAMESPACE_OID, message.body.decode("latin-1")))
                await store.put_unopened(tx, message, store.storable(id_)[:200], malformed.reason, self.clock())
            else:
                unit = store.Unit(tx, await store.locked(tx, [letter.lane]))
                at = unit.lane(letter.lane).tick(self.clock())
                await store.put_parked(tx, store.inbox_row(letter, message, at, "parked", malformed.reason))
                await unit.flush()
        log.warning("message parked: %s", malformed.reason)

    async def advance(self, lane: str) -> Advance:
        """Decides what can be decided of one lane's inbox, one message a transaction; failures wait or are parked."""
        lanes, decided, turn, missing = frozenset({lane}), 0, 0, frozenset[tuple[str, str]]()
        while True:
            work = _Work()
            try:
                await self._step(lane, lanes, work)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001
                lanes, turn = await self._stumbled(error, work.row, lanes, turn + 1)
                continue
            missing |= work.missing
            if not work.decided:
                return Advance(decided, missing)
            lanes, decided, turn = frozenset({lane}), decided + work.decided, 0

    async def _step(self, lane: str, lanes: frozenset[str], work: _Work) -> None:
        async with self.database.writing() as tx:
            unit = store.Unit(tx, await store.locked(tx, lanes))
            await self._advanced(unit, {lane}, work, {}, most=1)
            await unit.flush()
            self.failpoints.reach("loop.before_commit")
        self._after_commit()

    async def _stumbled(
        self, error: Exception, row: store.Unfinished | None, lanes: frozenset[str], turn: int
    ) -> tuple[frozenset[str], int]:
        """The lanes and the turn to go on with, after more are needed, a conflict, or a failed attempt."""
        if row is None:
            if turn >= ROUNDS:
                raise error
            await _pause(turn)
        elif isinstance(error, MoreLanes) and turn < ROUNDS:
            return lanes | error.lanes, turn
        elif isinstance(error, Conflict) and turn < ROUNDS:
            await _pause(turn)
        else:
            await self._failed(row, described(error))
            return frozenset({row.lane}), 0
        return lanes, turn

    async def _advanced(
        self, unit: store.Unit, lanes: set[str], work: _Work, letters: Mapping[str, Letter], most: int = 1_000_000
    ) -> None:
        """Decides, in each lane, every message whose turn it is."""
        now = self.clock()
        turns = Turns(self.service.name, await store.unfinished(unit.tx, sorted(lanes)), now)
        turns.arrived(await store.arrived(unit.tx, turns.wanted()))
        while work.decided < most and (row := turns.next()) is not None:
            work.row = row
            await self._turn(unit, row, letters.get(row.id))
            turns.done(row)
            work.decided += 1
        work.row = None
        for row in turns.stuck():
            await self._waits(unit, row, now)
            if row.status == "waiting":
                work.missing |= turns.missing(row)

    async def _waits(self, unit: store.Unit, row: store.Unfinished, now: datetime) -> None:
        """Says when to look again: at once for the rest of a large message, for all others they may be on their way.

        Said before what is missing is fetched, and later each time: it may be what kills this process.
        """
        looks = row.attempt + 1 if row.status == "waiting" else 0
        patience = CAUSE_PATIENCE if row.whole or looks else timedelta(0)
        await store.wait(unit.tx, row.id, looks, now + min(LONGEST_PATIENCE, patience * 2 ** min(looks, 10)))

    async def _turn(self, unit: store.Unit, row: store.Unfinished, letter: Letter | None) -> None:
        try:
            letter = letter or self._opened(await store.message_of(unit.tx, row))
        except Malformed as malformed:
            await store.park(unit.tx, row.id, row.attempt, malformed.reason)
            log.warning("message parked: %s", malformed.reason)
            return
        kept = [r for r in letter.resources if r["resourceType"] in self.service.listens]
        stale = await store.keep_copies(unit.tx, letter.lane, letter.producer, kept, row.received_at)
        await store.index(unit.tx, self.service, [r for r in kept if r["id"] not in stale])
        lane = unit.lane(letter.lane)
        lane.causes = merged(merged(lane.causes, letter.causes), {letter.producer: letter.cause})
        if kept and len(stale) == len(kept):
            unit.superseded.append(letter.id)
            return
        fresh = tuple(r for r in letter.resources if r["id"] not in stale)
        event = Event(
            "message", letter.reason, letter.lane, row.received_at, letter.occurred, fresh, letter.focus,
            letter.producer, letter.id,
        )  # fmt: skip
        await self._decider.decided(unit, event, letter.trace)
        unit.done.append(letter.id)

    async def _failed(self, row: store.Unfinished, problem: str) -> None:
        attempt = 1 if row.status == "waiting" else row.attempt + 1
        async with self.database.writing() as tx:
            await store.locked(tx, [row.lane])
            if attempt >= ATTEMPTS:
                await store.park(tx, row.id, attempt, problem)
                log.warning("message parked after %d attempts: %s", attempt, problem)
            else:
                wait = timedelta(seconds=min(60.0, 0.5 * 2**attempt))
                await store.postpone(tx, row.id, attempt, self.clock() + wait, problem)

    def _after_commit(self) -> None:
        for nudge in self.committed:
            nudge()


def _further(apart: frozenset[str], lanes: frozenset[str], row: store.Unfinished | None) -> frozenset[str]:
    """The lanes to leave aside after a batch failed while deciding this row."""
    if row is None or row.lane in apart or len(apart) >= ASIDE:
        return lanes
    return apart | {row.lane}


async def _pause(turn: int) -> None:
    """A little longer each time: who holds what is wanted may be done then."""
    await asyncio.sleep(min(0.1, 0.005 * (turn + 1)))
