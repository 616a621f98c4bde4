"""A decision about one patient reaches another only by that patient's own lane: as a wake, or as an event passed on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from shared import store
from shared.core import ROUSED, Decision, Event
from shared.ports import Transaction
from tests.shared.world import Facts, claim_of, heard, noted, rows, sqlite_world

OTHER = "patient/2"


async def test_a_roused_lane_has_a_wake_that_is_due_at_once(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:
        world.script = lambda event, facts: replace(noted(event, facts), rouses=frozenset({OTHER}))
        runner = await world.runner()
        await world.command(runner)
        async with runner.database.reading() as tx:
            due = await store.due_wakes(tx, world.clock())
        assert [(lane, key) for lane, key, _ in due] == [(OTHER, ROUSED)]
        world.script = noted
        await world.sweeper(runner).wakes()
        assert await heard(runner.database, OTHER) == [ROUSED]
        assert await rows(runner.database, "select lane from wake") == []


async def test_an_event_passed_on_is_decided_in_its_own_lane(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:

        def passing(event: Event, facts: Facts) -> Decision:
            onward = replace(event, lane=OTHER, reason="onward", id="") if event.lane != OTHER else None
            return replace(noted(event, facts), passes=onward)

        world.script = passing
        runner = await world.runner()
        outcome = await world.command(runner)
        assert outcome is not None
        assert outcome.event.lane == OTHER
        assert await heard(runner.database) == ["do"]
        assert await heard(runner.database, OTHER) == ["onward"]
        assert claim_of(OTHER) in {r["id"] for r in outcome.saved}


async def test_an_event_and_what_it_passes_on_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:

        def breaking(event: Event, facts: Facts) -> Decision:
            if event.lane == OTHER:
                raise LookupError("the second half cannot be decided")
            return replace(noted(event, facts), passes=replace(event, lane=OTHER, reason="onward", id=""))

        world.script = breaking
        runner = await world.runner()
        with pytest.raises(LookupError):
            await world.command(runner)
        assert await rows(runner.database, "select id from resource") == []
        assert await rows(runner.database, "select lane from decision") == []


async def test_what_is_passed_on_and_refused_takes_the_first_half_with_it_and_is_told(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:

        def refusing(event: Event, facts: Facts) -> Decision:
            if event.lane == OTHER:
                return Decision("noted", refusals=("not-so",))
            return replace(noted(event, facts), passes=replace(event, lane=OTHER, reason="onward", id=""))

        world.script = refusing
        runner = await world.runner()
        outcome = await world.command(runner)
        assert outcome is not None
        assert outcome.is_refused
        assert await rows(runner.database, "select id from resource") == []
        assert await rows(runner.database, "select lane, refusals from decision") == [(OTHER, '["not-so"]')]


async def test_what_a_client_says_once_is_remembered_with_both_halves(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:
        fails = [True, False]

        def failing_once(event: Event, facts: Facts) -> Decision:
            if event.lane == OTHER and fails.pop(0):
                raise LookupError("the process is gone between the halves")
            onward = replace(event, lane=OTHER, reason="onward", id="") if event.lane != OTHER else None
            return replace(noted(event, facts), passes=onward)

        async def admit(tx: Transaction) -> bool:
            return await store.claimed(tx, "test", "message", "1", "in-1")

        world.script = failing_once
        runner = await world.runner()
        event = Event("command", "do", "patient/1", world.clock(), world.clock(), source="test")
        with pytest.raises(LookupError):
            await runner.take(event, admit=admit)
        assert await runner.take(event, admit=admit) is not None
        assert await heard(runner.database, OTHER) == ["onward"]
        assert await runner.take(event, admit=admit) is None


async def test_a_message_is_never_passed_on_and_not_half_taken_either(tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:
        world.script = lambda event, facts: replace(noted(event, facts), passes=replace(event, lane=OTHER))
        runner = await world.runner()
        await runner.receive([world.message()])
        assert await rows(runner.database, "select lane from decision") == []
        ((status, problem),) = await rows(runner.database, "select status, problem from inbox")
        assert status == "retry"
        assert "passes a message on" in problem
