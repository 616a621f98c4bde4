"""Each protection of the runtime switched off alone, to see that the simulation notices it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from benchmarks.simulation import broker, store
from benchmarks.simulation.world import World
from services.auth.case import Case
from shared import store as real
from shared.clock import stamp
from shared.core import Seat
from shared.ports import Outgoing, Row, Transaction, Unroutable
from shared.store import inbox
from shared.store import unit as units


def inbox_row(_: World) -> None:
    """A message that came before is taken as if it had not."""

    async def known(tx: Transaction, ids: Sequence[str]) -> dict[str, str]:
        return {}

    async def put(tx: Transaction, rows: Sequence[Row]) -> None:
        if rows:
            again = "on conflict (id) do update set status = 'new', next_at = excluded.next_at"
            await tx.insert("inbox", inbox._COLUMNS, rows, again)

    real.known, real.put = known, put


def lane_lock(_: World) -> None:
    """Lanes are read without being locked."""
    wanted = store.lock_wanted
    store.lock_wanted = lambda sql: None if " from lane " in sql else wanted(sql)  # type: ignore[assignment]


def version_check(world: World) -> None:
    """What is saved need not follow what was read. Alone it hides behind the lane lock and the key of the history."""
    lane_lock(world)
    insert = store._Transaction.insert

    async def unguarded(self: Any, table: str, columns: Sequence[str], rows: Sequence[Row], conflict: str = "") -> int:
        if table == "resource":
            conflict = conflict.replace("resource.version = excluded.version - 1", "true")
        if table == "history":
            conflict = "on conflict do nothing"
        return await insert(self, table, columns, rows, conflict)

    store._Transaction.insert = unguarded  # type: ignore[method-assign]


def unroutable_check(_: World) -> None:
    """The relay takes a returned message for a taken one."""
    publish = broker.SimulatedBroker.publish

    async def taken(self: broker.SimulatedBroker, message: Outgoing) -> None:
        with suppress(Unroutable):
            await publish(self, message)

    broker.SimulatedBroker.publish = taken  # type: ignore[method-assign]


_LATE: list[asyncio.Future[None]] = []


def outbox_in_the_transaction(world: World) -> None:
    """Messages are put into the outbox after the commit, in a transaction of their own."""
    flush = real.Unit.flush

    async def flushed(self: real.Unit) -> None:
        rows, self.outbox = self.outbox, []
        await flush(self)
        if rows:
            database = store.SimulatedDatabase(self.tx._engine, None)  # type: ignore[attr-defined]
            _LATE.append(asyncio.ensure_future(_later(database, rows)))

    async def _later(database: store.SimulatedDatabase, rows: Sequence[Row]) -> None:
        await asyncio.sleep(0.02)
        async with database.writing() as tx:
            await tx.insert("outbox", units._OUTBOX, rows, "on conflict do nothing")

    real.Unit.flush = flushed  # type: ignore[method-assign]


def capacity_rows(_: World) -> None:
    """What a visit takes is not written down."""

    async def seat(tx: Transaction, holders: Sequence[str], seats: Sequence[tuple[Seat, str]]) -> None:
        return

    real.seat = seat


def stable_ids(_: World) -> None:
    """A Claim is called after the instant of the decision, not after its business key alone."""
    derived = Case._claim_id

    def claim_id(self: Case, attempt: int) -> str:
        return f"au-{uuid5(NAMESPACE_OID, derived(self, attempt) + self.at.isoformat())}"

    Case._claim_id = claim_id  # type: ignore[method-assign]


def order_per_patient(_: World) -> None:
    """Nobody waits for the message before."""
    inbox.Unfinished.previous = lambda self, service: None  # type: ignore[method-assign]


def cause_waiting(_: World) -> None:
    """Nobody waits for what a message rests on."""
    inbox.Unfinished.causes = property(lambda _: {})  # type: ignore[assignment]


def fencing_of_deliveries(_: World) -> None:
    """An answer counts whoever brings it, and however often."""

    async def answered(tx: Transaction, delivery: real.Delivery, at: datetime) -> bool:
        sql = "update delivery set state = 'answered', answered_at = $2 where id = $1"
        await tx.execute(sql, delivery.id, stamp(at))
        return True

    real.answered = answered


MUTATIONS: Mapping[str, Callable[[World], None]] = {
    m.__name__: m
    for m in (
        inbox_row, lane_lock, version_check, unroutable_check, outbox_in_the_transaction, capacity_rows, stable_ids,
        order_per_patient, cause_waiting, fencing_of_deliveries,
    )
}  # fmt: skip
