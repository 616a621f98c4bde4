"""alpha says orders, delta Tasks, and beta notes them, each on its own store; what lies between can be lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.core import Decision, Event
from shared.messages import Catalogue, hearers
from shared.ports import Incoming, Outgoing
from shared.relay import Relay
from shared.repair.backfilling import Backfill, Backfilled
from shared.repair.resending import Resent, Wanted, resend
from shared.run import Runner
from tests.shared.world import PARTITIONS, Facts, World, noted


def order_of(lane: str) -> str:
    return "al-" + lane.replace("/", "-")


def task_of(lane: str) -> str:
    return "de-" + lane.replace("/", "-")


def scripted(event: Event, facts: Facts) -> Decision:
    """A command says the next state of the lane's order, or (`task ...`) of its Task; beta notes what it hears."""
    if event.kind == "command" and event.reason.startswith("task"):
        return Decision("said", ({"resourceType": "Task", "id": task_of(event.lane), "n": event.reason},))
    if event.kind == "command":
        return Decision("said", ({"resourceType": "ServiceRequest", "id": order_of(event.lane), "n": event.reason},))
    return noted(event, facts)


class Queue:
    """A broker with one queue for beta, which can be lost."""

    def __init__(self, world: World) -> None:
        self._catalogue = Catalogue(world.services())
        self.waiting: list[Incoming] = []

    async def publish(self, message: Outgoing) -> None:
        producer = str(message.headers["producer"])
        if "beta" in hearers(message.keys, producer, self._catalogue):
            self.waiting.append(Incoming(message.id, message.reason, message.headers, message.body))

    def lost(self) -> int:
        """Loses what is in it; how many messages that were."""
        count = len(self.waiting)
        self.waiting.clear()
        return count


@dataclass(slots=True)
class Pair:
    """The services and what is between them."""

    world: World
    alpha: Runner
    delta: Runner
    beta: Runner
    queue: Queue
    relays: tuple[Relay, ...]

    async def say(self, *states: str, lane: str = "patient/1") -> None:
        """The owners say these states of the lane's order or Task, and their relays send them."""
        for state in states:
            self.world.clock.move(seconds=1)
            await self.world.command(self.delta if state.startswith("task") else self.alpha, state, lane)
        await self.relayed()

    async def relayed(self) -> int:
        """Sends all there is; how many messages."""
        count = 0
        for relay in self.relays:
            while sent := await relay.once():
                count += sent
        return count

    async def backfill(self, *owners: Runner, lanes: Sequence[str] | None = None) -> list[Backfilled]:
        """What `carepod backfill beta` does; no relay runs meanwhile."""
        made = (Backfill(o.service, self.beta.service, o.database, self.world.clock, PARTITIONS) for o in owners)
        return [await backfill.said(0, lanes) for backfill in made]

    async def forget(self, *owners: Runner) -> None:
        """Their outboxes are emptied, as after thirty days: what was lost can only be had by a backfill."""
        for owner in owners:
            async with owner.database.writing() as tx:
                await tx.execute("delete from outbox")

    async def hear(self) -> int:
        """beta takes what waits in its queue; how many messages."""
        batch, self.queue.waiting = self.queue.waiting, []
        await self.beta.receive(batch)
        return len(batch)

    async def resend(self, **how: object) -> Resent:
        """What `carepod resend alpha --to beta` does; no relay runs meanwhile."""
        now = self.world.clock()
        changes = {"since": now - timedelta(days=30), "until": now + timedelta(seconds=1), **how}
        wanted = Wanted(**changes)  # type: ignore[arg-type]
        inboxes = {"beta": self.beta.database}
        catalogue = Catalogue(self.world.services())
        return await resend(self.alpha.service, self.alpha.database, inboxes, catalogue, wanted, 0)


async def paired(world: World) -> Pair:
    """alpha and beta on this world."""
    world.script = scripted
    alpha, delta, beta = [await world.runner(name) for name in ("alpha", "delta", "beta")]
    queue = Queue(world)
    relays = tuple(world.relay(owner.database, queue) for owner in (alpha, delta))
    return Pair(world, alpha, delta, beta, queue, relays)
