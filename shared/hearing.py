"""Takes the messages of other services: what has come is kept, decided in its turn, or parked with its reason.

Law of this file: what was received is in the inbox before it is acknowledged, and what cannot be taken asks a person.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import NAMESPACE_OID, uuid5

from shared import store
from shared.asking import Asking, Telling
from shared.borders import Border
from shared.clock import Clock
from shared.core import Event, Resource, Service
from shared.decide import ROUNDS, Decider, MoreLanes, pause
from shared.failpoints import Failpoints
from shared.failures import described
from shared.keeping import is_too_old
from shared.messages import BACKFILLED, Catalogue, Letter, Malformed, merged, opened
from shared.ports import Conflict, Database, Incoming, Unavailable
from shared.turns import Turns

log = logging.getLogger("carepod.run")

ATTEMPTS = 6
"""How often a message is tried before it is parked."""
ASIDE = 3
"""How many lanes of a batch may fail before all of it is decided lane by lane."""
CAUSE_PATIENCE = timedelta(seconds=30)
"""How long a message waits for what it rests on before that is fetched from its producer."""
LONGEST_PATIENCE = timedelta(minutes=10)
"""Looks for what stays missing get no rarer than this."""

Letters = Sequence[tuple[Letter, Incoming]]


@dataclass(slots=True)
class _Work:
    """What one transaction is at: the row being decided, how many were, and (producer, id) of what is missing."""

    row: store.Unfinished | None = None
    decided: int = 0
    missing: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Advance:
    """How many messages of a lane were decided, and (producer, id) of what others have waited for too long."""

    decided: int
    missing: frozenset[tuple[str, str]] = frozenset()


@dataclass(slots=True)
class Hearing:
    """The inbox half of the run loop of one service; `done` is called after every commit with what it wrote."""

    service: Service
    database: Database
    catalogue: Catalogue
    border: Border
    decider: Decider
    clock: Clock
    failpoints: Failpoints
    done: Callable[[store.Unit], None]
    asking: Asking = field(init=False)

    def __post_init__(self) -> None:
        self.asking = Asking(self.service, self.database, self.border, self.decider, self.clock, self.done)

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
                await self._unopened(message, malformed)
        if letters:
            for lane in sorted(await self._batch(letters)):
                await self.advance(lane)
        self.failpoints.reach("consumer.before_ack")

    async def hold(self, messages: Sequence[Incoming]) -> None:
        """Puts backfills into the inbox of a service that does not run, and keeps what they bring; nothing is decided.

        Whatever the service does first when it starts, a timer that has long been due, rests on what the others have.
        """
        letters = [(self._opened(message), message) for message in messages]
        lanes = sorted({letter.lane for letter, _ in letters})
        async with self.database.writing() as tx:
            unit = store.Unit(tx, await store.locked(tx, lanes))
            fresh = await self._put(unit, letters)
            rows = [row for row in await store.unfinished(tx, lanes) if row.id in fresh]
            for row, letter in await self._backfills(unit, rows, fresh):
                await self._kept(unit, row, letter)
            await unit.flush()

    def _opened(self, message: Incoming) -> Letter:
        """The message with what of it this service reads, and why it cannot be taken, if so.

        Raises Malformed where it cannot even be read.
        """
        letter, reason = self._readable(message)
        try:
            read, issues = self.border.heard(letter.resources)
        except Exception as error:  # noqa: BLE001
            log.warning("a message could not be checked: %s", described(error))
            read, issues, reason = self.border.read(letter.resources), [], reason or "profile"
        letter = replace(letter, resources=tuple(read))
        reason = reason or ("profile" if issues else "")
        return replace(letter, wrong=Malformed(reason, letter, issues)) if reason else letter

    def _readable(self, message: Incoming) -> tuple[Letter, str]:
        """What a message says, and what is wrong with its envelope."""
        try:
            return opened(message, self.catalogue), ""
        except Malformed as malformed:
            if malformed.letter is None:
                raise
            return malformed.letter, malformed.reason

    async def _batch(self, letters: Letters) -> frozenset[str]:
        """Puts the messages into the inbox and decides what can be; returns the lanes left to be decided apart."""
        lanes = frozenset(letter.lane for letter, _ in letters)
        apart = frozenset(letter.lane for letter, _ in letters if letter.wrong is not None)
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
                await self._closed(unit, Telling.ALL)
            await unit.flush()
            self.failpoints.reach("loop.before_commit")
        self.done(unit)

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
                await self._unopened(message, Malformed("unstorable"))

    async def _unopened(self, message: Incoming, malformed: Malformed) -> None:
        """Parks a message nothing can be read of."""
        id_ = message.id or str(uuid5(NAMESPACE_OID, message.body.decode("latin-1")))
        async with self.database.writing() as tx:
            await store.put_unopened(tx, message, store.storable(id_)[:200], malformed.reason, self.clock())
        log.warning("message parked: %s", malformed.reason)

    async def advance(self, lane: str) -> Advance:
        """Decides what can be decided of one lane's inbox, one message a transaction; failures wait or are parked."""
        lanes, decided, turn, missing = frozenset({lane}), 0, 0, frozenset[tuple[str, str]]()
        telling = Telling.ALL
        while True:
            work = _Work()
            try:
                await self._step(lane, lanes, work, telling)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001
                if work.row is None and not isinstance(error, MoreLanes | Conflict):
                    # No message was at fault, so what failed may be what is said of parked ones: less is said.
                    telling = Telling(max(0, telling - 1))
                lanes, turn = await self._stumbled(error, work.row, lanes, turn + 1)
                continue
            missing |= work.missing
            if not work.decided:
                return Advance(decided, missing)
            lanes, decided, turn, telling = frozenset({lane}), decided + work.decided, 0, Telling.ALL

    async def _step(self, lane: str, lanes: frozenset[str], work: _Work, telling: Telling) -> None:
        async with self.database.writing() as tx:
            unit = store.Unit(tx, await store.locked(tx, lanes))
            await self._advanced(unit, {lane}, work, {}, most=1)
            await self._closed(unit, telling)
            await unit.flush()
            self.failpoints.reach("loop.before_commit")
        self.done(unit)

    async def _stumbled(
        self, error: Exception, row: store.Unfinished | None, lanes: frozenset[str], turn: int
    ) -> tuple[frozenset[str], int]:
        """The lanes and the turn to go on with, after more are needed, a conflict, or a failed attempt."""
        if isinstance(error, MoreLanes) and turn < ROUNDS:
            return lanes | error.lanes, turn
        if row is None:
            if turn >= ROUNDS:
                raise error
            await pause(turn)
        elif isinstance(error, Malformed):
            await self.asking.set_aside(row, row.attempt, error)
            return frozenset({row.lane}), 0
        elif isinstance(error, Conflict) and turn < ROUNDS:
            await pause(turn)
        else:
            await self._failed(row, described(error))
            return frozenset({row.lane}), 0
        return lanes, turn

    async def _advanced(
        self, unit: store.Unit, lanes: set[str], work: _Work, letters: Mapping[str, Letter], most: int = 1_000_000
    ) -> None:
        """Decides, in each lane, every message whose turn it is."""
        now = self.clock()
        await unit.view.load(lanes, (r["id"] for letter in letters.values() for r in letter.resources))
        rows = await store.unfinished(unit.tx, sorted(lanes))
        turns = Turns(self.service.name, rows, now)
        turns.arrived(await store.arrived(unit.tx, turns.wanted()))
        await self._backfilled(unit, turns, rows, letters)
        await self._in_turn(unit, turns, work, letters, most)
        if turns.stuck():
            turns.covered(await store.backfilled(unit.tx, sorted(lanes)))
            await self._in_turn(unit, turns, work, letters, most)
        for row in turns.stuck():
            await self._waits(unit, row, now)
            if row.status == "waiting":
                work.missing |= turns.missing(row)

    async def _in_turn(
        self, unit: store.Unit, turns: Turns, work: _Work, letters: Mapping[str, Letter], most: int
    ) -> None:
        while work.decided < most and (row := turns.next()) is not None:
            work.row = row
            await self._turn(unit, row, letters.get(row.id))
            turns.done(row)
            work.decided += 1
        if most == 1:
            await unit.write()  # what cannot be written is this message's fault
        work.row = None

    async def _backfills(
        self, unit: store.Unit, rows: Sequence[store.Unfinished], letters: Mapping[str, Letter]
    ) -> list[tuple[store.Unfinished, Letter]]:
        """The backfills among these rows that can be taken."""
        whole = [row for row in rows if row.reason == BACKFILLED and row.whole]
        opened_ = [(r, letters.get(r.id) or self._opened(await store.message_of(unit.tx, r))) for r in whole]
        return [(r, found) for r, found in opened_ if found.wrong is None and not is_too_old(r.id, r.received_at)]

    async def _backfilled(
        self, unit: store.Unit, turns: Turns, rows: Sequence[store.Unfinished], letters: Mapping[str, Letter]
    ) -> None:
        """Keeps, before anything is decided, what the backfills bring that wait for nothing but one another.

        Two of them may each rest on what only the other stands for.
        """
        if found := await self._backfills(unit, rows, letters):
            turns.covered(await store.backfilled(unit.tx, sorted({row.lane for row in rows})))
            standing = turns.standing([row for row, _ in found])
            for row, letter in found:
                if row in standing:
                    await self._kept(unit, row, letter)

    async def _waits(self, unit: store.Unit, row: store.Unfinished, now: datetime) -> None:
        """Says when to look again: at once for the rest of a large message, for all others they may be on their way.

        Said before what is missing is fetched, and later each time: it may be what kills this process.
        """
        looks = row.attempt + 1 if row.status == "waiting" else 0
        patience = CAUSE_PATIENCE if row.whole or looks else timedelta(0)
        await store.wait(unit.tx, row.id, looks, now + min(LONGEST_PATIENCE, patience * 2 ** min(looks, 10)))

    async def _turn(self, unit: store.Unit, row: store.Unfinished, letter: Letter | None) -> None:
        self.failpoints.decides(row.lane)
        letter = letter or self._opened(await store.message_of(unit.tx, row))
        if letter.wrong is not None:
            raise letter.wrong
        if not row.failed and is_too_old(row.id, row.received_at):
            await self._refused_by_age(unit, letter)
            return
        fresh = await self._kept(unit, row, letter)
        if row.failed:
            unit.retried.append(letter.id)
        if not fresh:
            (unit.superseded if letter.resources else unit.done).append(letter.id)
            return
        event = Event(
            "message", letter.reason, letter.lane, row.received_at, letter.occurred, fresh, letter.focus,
            letter.producer, letter.id,
        )  # fmt: skip
        await self.decider.decided(unit, event, letter.trace)
        unit.done.append(letter.id)

    async def _refused_by_age(self, unit: store.Unit, letter: Letter) -> None:
        """Takes nothing of a message that may have been decided and forgotten; where all of it is held, that is all.

        Raises Malformed where something of it is not held: a person sees to it, who may have it taken all the same.
        """
        held = await store.versions(unit.tx, [r["id"] for r in letter.resources])
        if any(r["id"] not in held or held[r["id"]] < store.version_of(r) for r in letter.resources):
            raise Malformed("too-old", letter)
        unit.superseded.append(letter.id)

    async def _kept(self, unit: store.Unit, row: store.Unfinished, letter: Letter) -> tuple[Resource, ...]:
        """Keeps what a message brings, of which nothing newer is held; returns that."""
        fresh = await unit.keep(self.service, letter.producer, letter.lane, letter.resources, row.received_at)
        lane = unit.lane(letter.lane)
        lane.causes = merged(merged(lane.causes, letter.causes), {letter.producer: letter.cause})
        return fresh

    async def _closed(self, unit: store.Unit, telling: Telling) -> None:
        if unit.done or unit.superseded:
            await self.asking.close(unit, telling)

    # Messages that cannot be taken

    async def _failed(self, row: store.Unfinished, problem: str) -> None:
        attempt = 1 if row.status == "waiting" else row.attempt + 1
        if attempt >= ATTEMPTS:
            await self.asking.set_aside(row, attempt, Malformed(problem, await self._letter(row)))
            return
        wait = timedelta(seconds=min(60.0, 0.5 * 2**attempt))
        async with self.database.writing() as tx:
            await store.locked(tx, [row.lane])
            await store.postpone(tx, row.id, attempt, self.clock() + wait, problem)

    async def _letter(self, row: store.Unfinished) -> Letter | None:
        """What can be read of an inbox row."""
        async with self.database.reading() as tx:
            message = await store.message_of(tx, row)
        try:
            return self._opened(message)
        except Malformed:
            return None


def _further(apart: frozenset[str], lanes: frozenset[str], row: store.Unfinished | None) -> frozenset[str]:
    """The lanes to leave aside after a batch failed while deciding this row."""
    if row is None or row.lane in apart or len(apart) >= ASIDE:
        return lanes
    return apart | {row.lane}
