"""Cancelled at any statement, a decision is whole or not there."""

import asyncio
from typing import Any

from tests.shared.world import World, claim_of, heard, rows

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
