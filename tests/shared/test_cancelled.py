"""Cancelled at any statement, a decision is whole or not there."""

import asyncio
from typing import Any

import pytest

from tests.shared.world import FakeBroker, World, claim_of, heard, rows

# Cancelled


class Cancelling:
    """A database whose user is cancelled while its n-th statement is under way."""

    def __init__(self, database: Any, at: int) -> None:
        self._database, self._left = database, at

    def _count(self) -> None:
        self._left -= 1
        task = asyncio.current_task()
        if self._left == 0 and task is not None:
            asyncio.get_running_loop().call_soon(task.cancel)

    def writing(self) -> Any:
        self._count()
        return _Counted(self._database.writing(), self._count)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


class _Counted:
    def __init__(self, inner: Any, count: Any) -> None:
        self._inner, self._count = inner, count

    async def __aenter__(self) -> Any:
        return _Statements(await self._inner.__aenter__(), self._count)

    async def __aexit__(self, *error: Any) -> Any:
        self._count()
        return await self._inner.__aexit__(*error)


class _Statements:
    def __init__(self, tx: Any, count: Any) -> None:
        self._tx, self._count = tx, count

    def __getattr__(self, name: str) -> Any:
        self._count()
        return getattr(self._tx, name)


async def test_cancelled_at_any_statement_a_decision_is_whole_or_not_there_and_the_next_goes_on(world: World) -> None:
    runner = await world.runner()
    database, completed = runner.database, 0
    for at in range(1, 40):
        runner.database = Cancelling(database, at)
        task = asyncio.create_task(world.command(runner, str(at)))
        completed += (await asyncio.gather(task, return_exceptions=True))[0].__class__.__name__ == "Outcome"
        runner.database = database
        await asyncio.wait_for(world.command(runner, f"after {at}"), 5)
        counts = [
            (await rows(database, f"select count(*) from {table}"))[0][0] for table in ("history", "outbox", "decision")
        ]
        assert counts == [len(await heard(database))] * 3
    assert 0 < completed < 39
    assert {f"after {at}" for at in range(1, 40)} <= set(await heard(database))
    assert claim_of("patient/1") == "be-patient-1"


class Stepped:
    """A coroutine whose task is cancelled at its n-th await that truly waits."""

    def __init__(self, inner: Any, at: int) -> None:
        self._inner, self._left = inner, at

    def __await__(self) -> Any:
        inner = self._inner.__await__()
        step, value = inner.send, None
        while True:
            try:
                waited = step(value)
            except StopIteration as ended:
                return ended.value
            self._left -= 1
            if self._left == 0:
                task = asyncio.current_task()
                assert task is not None
                asyncio.get_running_loop().call_soon(task.cancel)
            try:
                step, value = inner.send, (yield waited)
            except BaseException as error:  # noqa: BLE001 (thrown on into what is stepped)
                step, value = inner.throw, error


@pytest.mark.slow
async def test_a_relay_cancelled_at_each_of_its_waits_loses_no_message_and_holds_no_lock(world: World) -> None:
    runner = await world.runner()
    database, broker, ended = runner.database, FakeBroker(), 0
    for at in range(1, 31):
        for lane in range(3):
            await world.command(runner, str(at), f"patient/{lane}")
        waiting = {r[0] for r in await rows(database, "select id from outbox where sent_at is null")}
        stepped = asyncio.create_task(_stepped(world.relay(database, broker).once(), at))
        ended += not isinstance((await asyncio.gather(stepped, return_exceptions=True))[0], BaseException)
        relay = world.relay(database, broker)
        async with asyncio.timeout(10):
            while await relay.once():
                pass
        assert waiting <= {m.id for m in broker.taken}
    assert 0 < ended < 30, "some were cancelled, and some had no such wait any more"
    assert await rows(database, "select id from outbox where sent_at is null") == []
    for lane in range(3):
        said = [m.headers["seq"] for m in broker.taken if m.headers["lane"] == f"patient/{lane}"]
        assert list(dict.fromkeys(said)) == list(range(1, 31)), "in lane order, whatever was sent twice"


async def _stepped(inner: Any, at: int) -> Any:
    return await Stepped(inner, at)
