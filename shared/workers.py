"""The background work of one running service: relay, retries, wakes, deliveries; each a task, drained on stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from shared import store
from shared.clock import Clock, instant
from shared.core import Event
from shared.deliveries import Deliveries
from shared.failures import described
from shared.hearing import CAUSE_PATIENCE
from shared.keeping import Keeping
from shared.messages import ids_of
from shared.ports import Database, Incoming, Transaction, Unavailable
from shared.relay import Relay
from shared.run import Runner
from shared.timekeeping import Timekeeping
from shared.turns import is_young

log = logging.getLogger("carepod.workers")

POLL = 0.5
"""Seconds between two looks for work nobody announced (another process's, a timer's)."""
DRAIN = 20.0
"""Seconds that work under way may take to end when the service stops."""
CHAIN = 100
"""How many lost messages of one lane are fetched at a time."""
PUT_OFF = timedelta(minutes=1)
"""How long a timer waits whose decision failed."""
REMINDER = timedelta(minutes=1)
"""How often it is said that messages wait for what their producers do not give."""

Fetch = Callable[[str, str], Awaitable[Incoming | None]]
"""(producer, message id) -> that message as its producer's outbox has it, or None where it cannot be had now."""


class Worker:
    """Repeats one piece of work: at once while there is some, else on a nudge or after `POLL` seconds."""

    def __init__(
        self,
        name: str,
        once: Callable[[], Awaitable[int]],
        drained: Callable[[float], Awaitable[None]] | None = None,
        poll: float = POLL,
    ) -> None:
        self._name, self._once, self._drained, self._poll = name, once, drained, poll
        self._wanted, self._stopping = asyncio.Event(), False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self._name)

    def nudge(self) -> None:
        """Says that there may be work."""
        self._wanted.set()

    async def stop(self) -> None:
        """Lets the piece under way end, bounded; then cancels it: what it had not committed is done again later."""
        self._stopping = True
        self._wanted.set()
        if self._task is not None:
            done, _ = await asyncio.wait({self._task}, timeout=DRAIN)
            if not done:
                self._task.cancel()
                with suppress(asyncio.CancelledError):
                    await self._task
        if self._drained is not None:
            await self._drained(DRAIN)

    async def _run(self) -> None:
        while not self._stopping:
            self._wanted.clear()
            try:
                busy = await self._once()
            except Unavailable as error:
                log.warning("%s waits: an engine is unavailable (%s)", self._name, error)
                busy = await self._paused()
            except Exception as error:  # noqa: BLE001
                log.error("%s failed and will try again: %s", self._name, described(error))
                busy = await self._paused()
            if not busy and not self._stopping:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), self._poll)

    async def _paused(self) -> int:
        """A failure is not hurried by nudges."""
        await asyncio.sleep(POLL)
        return 0


class Sweeper:
    """Finds messages whose turn has come, what they have missed, and timers that are due."""

    def __init__(self, runner: Runner, database: Database, clock: Clock, fetch: Fetch) -> None:
        self._runner, self._database, self._clock, self._fetch = runner, database, clock, fetch
        self._reminded: datetime | None = None

    async def messages(self) -> int:
        """Advances every lane with a message that may be tried now; the number of messages decided."""
        async with self._database.reading() as tx:
            lanes = await store.due_lanes(tx, self._clock())
        decided = sum([await self._advanced(lane) for lane in lanes])
        await self._remind()
        return decided

    async def _advanced(self, lane: str) -> int:
        """One lane, to an end of its own: its failure does not keep the others."""
        try:
            advance = await self._runner.advance(lane)
            for producer, message_id in sorted(advance.missing):
                await self._fetched(producer, message_id)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001
            log.error("a lane of %s could not be advanced: %s", self._runner.service.name, described(error))
            return 0
        return advance.decided

    async def _fetched(self, producer: str, message_id: str) -> None:
        """Takes from its producer a message that never came, and those before it; until then what rests on it waits."""
        chain: list[Incoming] = []
        wanted: str | None = message_id
        while wanted and len(chain) < CHAIN and (message := await self._asked(producer, wanted)) is not None:
            chain.append(message)
            wanted = await self._lacked_before(message)
        if chain:
            await self._runner.receive(chain[::-1])

    async def _asked(self, producer: str, message_id: str) -> Incoming | None:
        try:
            message = await self._fetch(producer, message_id)
        except Exception as error:  # noqa: BLE001
            log.warning("a message of %s could not be fetched: %s", producer, described(error))
            return None
        return message if message is not None and message.id == message_id else None

    async def _lacked_before(self, message: Incoming) -> str | None:
        """The message before this one, where it never came either."""
        previous = ids_of(message.headers.get("previous", "{}")).get(self._runner.service.name)
        if not previous or not is_young(previous, self._clock()):
            return None
        async with self._database.reading() as tx:
            return None if await store.known(tx, [previous]) else previous

    async def _remind(self) -> None:
        now = self._clock()
        if self._reminded is not None and now < self._reminded + REMINDER:
            return
        async with self._database.reading() as tx:
            count = await store.waiting_since(tx, now - CAUSE_PATIENCE)
        if count:
            log.warning("%d messages of %s wait for earlier ones that have not come", count, self._runner.service.name)
            self._reminded = now

    async def wakes(self) -> int:
        """Takes every timer that is due."""
        async with self._database.reading() as tx:
            due = await store.due_wakes(tx, self._clock())
        for lane, key, due_at in due:
            try:
                await self._wake(lane, key, due_at)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001
                log.error("a timer of %s failed and waits: %s", self._runner.service.name, described(error))
                async with self._database.writing() as tx:
                    await store.put_off_wake(tx, lane, key, due_at, self._clock() + PUT_OFF)
        return len(due)

    async def _wake(self, lane: str, key: str, due_at: str) -> None:
        async def admit(tx: Transaction) -> bool:
            return await store.drop_wake(tx, lane, key, due_at)

        event = Event("wake", key, lane, self._clock(), instant(due_at), source=self._runner.service.name)
        await self._runner.take(event, admit=admit)


def workers_of(
    runner: Runner, relay: Relay, deliveries: Sequence[Deliveries], sweeper: Sweeper, poll: float = POLL
) -> tuple[Worker, ...]:
    """The workers of one service; relay and deliveries are nudged by the commits that wrote something for them."""
    name = runner.service.name
    carriers = [Worker(f"{name} deliveries {d.channel.name}", d.once, d.stop, poll) for d in deliveries]
    for carrier, channel in zip(carriers, deliveries, strict=True):
        channel.ended = carrier.nudge
    relaying = Worker(f"{name} relay", relay.once, poll=poll)
    of_channel = {d.channel.name: c for d, c in zip(deliveries, carriers, strict=True)}

    def nudge(unit: store.Unit) -> None:
        if unit.outbox:
            relaying.nudge()
        for channel in {prepared.channel for prepared in unit.deliveries}:
            of_channel[channel].nudge()

    runner.committed.append(nudge)
    kept = (Keeping(runner.database, runner.clock).once, Timekeeping(runner.database, runner.clock).once)
    swept = (("inbox", sweeper.messages), ("wakes", sweeper.wakes), ("keeping", kept[0]), ("clock", kept[1]))
    return (relaying, *carriers, *(Worker(f"{name} {what}", once, poll=poll) for what, once in swept))
