"""A transaction sees what it decided itself, writes it at its end, and is refused where another was before it."""

from __future__ import annotations

from typing import Any

import pytest

from shared import store
from shared.core import Resource
from shared.ports import Conflict
from tests.shared.world import World, rows

LANE = "patient/1"


def order(version: int, **more: Any) -> Resource:
    return {"resourceType": "ServiceRequest", "id": "al-1", "meta": {"versionId": f"1-{version}"}, **more}


async def kept(world: World, runner: Any, *versions: int) -> tuple[Resource, ...]:
    fresh: tuple[Resource, ...] = ()
    async with runner.database.writing() as tx:
        unit = store.Unit(tx, {})
        for version in versions:
            fresh = await unit.keep(runner.service, "alpha", LANE, [order(version)], world.clock())
        await unit.write()
    return fresh


async def test_a_lane_is_read_with_what_the_transaction_itself_has_decided_and_not_yet_written(world: World) -> None:
    runner = await world.runner()
    await kept(world, runner, 1)
    async with runner.database.writing() as tx:
        unit = store.Unit(tx, {})
        reader = store.LaneReader(unit.view, unit.write, lambda resource: resource)
        assert [r["meta"]["versionId"] for r in await reader.of_lane(LANE)] == ["1-1"]
        await unit.keep(runner.service, "alpha", LANE, [order(2, status="active")], world.clock())
        (found,) = await reader.of_lane(LANE, "ServiceRequest")
        assert (found["meta"]["versionId"], found["status"]) == ("1-2", "active")
        assert (await reader.several(["al-1", "al-none"])).keys() == {"al-1"}
        assert reader.seen == {"al-1": "1-2", "al-none": None}
        assert (await tx.fetch("select version from resource where id = 'al-1'"))[0][0] == 1
        await unit.write()
        assert (await tx.fetch("select version from resource where id = 'al-1'"))[0][0] == 2


async def test_of_what_is_held_in_a_newer_version_nothing_is_kept_and_nothing_is_fresh(world: World) -> None:
    runner = await world.runner()
    await kept(world, runner, 2)
    assert await kept(world, runner, 1) == ()
    assert [r["meta"]["versionId"] for r in await kept(world, runner, 2)] == ["1-2"]
    assert [r["meta"]["versionId"] for r in await kept(world, runner, 1, 3)] == ["1-3"]
    assert (await rows(runner.database, "select version from resource where id = 'al-1'"))[0][0] == 3


async def test_a_newer_copy_that_came_after_the_look_refuses_the_whole_transaction(world: World) -> None:
    runner = await world.runner()

    async def overtaken() -> None:
        async with runner.database.writing() as tx:
            unit = store.Unit(tx, {})
            await unit.keep(runner.service, "alpha", LANE, [order(1)], world.clock())
            insert = "insert into resource (id, type, lane, owner, epoch, version, updated, body) "
            await tx.execute(insert + "values ('al-1', 'ServiceRequest', 'patient/2', 'alpha', 1, 2, '', '{}')")
            await unit.write()

    with pytest.raises(Conflict):
        await overtaken()
    assert await rows(runner.database, "select id from resource") == []


async def test_a_version_that_is_no_successor_when_it_is_written_refuses_the_whole_transaction(world: World) -> None:
    runner = await world.runner()
    name = runner.service.name

    async def saved(version: int) -> None:
        async with runner.database.writing() as tx:
            unit = store.Unit(tx, {})
            await unit.save(runner.service, LANE, [order(version)], world.clock())
            await unit.flush()

    await saved(1)
    await saved(2)
    for version in (2, 4):
        with pytest.raises(Conflict):
            await saved(version)
    found = await rows(runner.database, "select owner, version from resource")
    assert [tuple(r) for r in found] == [(name, 2)]
    assert len(await rows(runner.database, "select version from history")) == 2


async def test_two_versions_saved_in_one_transaction_are_both_history(world: World) -> None:
    runner = await world.runner()
    async with runner.database.writing() as tx:
        unit = store.Unit(tx, {})
        for version in (1, 2):
            await unit.save(runner.service, LANE, [order(version)], world.clock())
        await unit.flush()
    assert (await rows(runner.database, "select version from resource"))[0][0] == 2
    assert [r[0] for r in await rows(runner.database, "select version from history order by version")] == [1, 2]
