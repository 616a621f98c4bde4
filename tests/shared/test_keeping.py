from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shared import store
from shared.clock import first_uuid7, minted, uuid7
from shared.keeping import BODY_KEPT, EVERY, SENT_KEPT, TAKEN_KEPT, TOO_OLD, Keeping, is_too_old
from shared.ports import Database
from tests.shared.world import World, heard, questions, rows, statuses

AT = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


async def count(database: Database, table: str) -> int:
    return int((await rows(database, f"select count(*) from {table}"))[0][0])


async def purged(world: World, database: Database) -> int:
    keeping, removed = Keeping(database, world.clock), 0
    while batch := await keeping.once():
        removed += batch
    return removed


async def said(world: World, database: Database, sent: bool) -> None:
    """A row of an outbox, made now."""
    row = (uuid7(world.clock()), "patient/1", 1, 0, "said", "[]", "{}", "{}", "")
    columns = ("id", "lane", "seq", "partition", "reason", "keys", "headers", "body", "created_at")
    async with database.writing() as tx:
        await tx.insert("outbox", columns, [row])
        if sent:
            await store.sent(tx, [row[0]], world.clock())


async def test_sent_messages_stay_thirty_days_and_unsent_ones_for_ever(world: World) -> None:
    database = await world.database()
    for sent in (True, False):
        await said(world, database, sent)
    world.clock.now += SENT_KEPT - timedelta(seconds=1)
    assert await purged(world, database) == 0
    world.clock.move(seconds=2)
    assert await purged(world, database) == 1
    world.clock.move(days=400)
    assert await purged(world, database) == 0
    assert await count(database, "outbox where sent_at is null") == 1


async def test_a_purge_takes_many_rows_in_small_batches_and_then_rests(world: World) -> None:
    database = await world.database()
    for _ in range(7):
        await said(world, database, True)
    world.clock.now += SENT_KEPT + timedelta(seconds=1)
    async with database.writing() as tx:
        assert [await store.purge_sent(tx, world.clock() - SENT_KEPT, 3) for _ in range(4)] == [3, 3, 1, 0]
    keeping = Keeping(database, world.clock)
    assert await keeping.once() == 0
    await said(world, database, True)
    world.clock.now += SENT_KEPT + timedelta(seconds=1)
    assert await keeping.once() == 1
    assert await keeping.once() == 0
    async with database.writing() as tx:
        await tx.execute("update lane set seq = seq")
    assert timedelta(days=1) >= EVERY, "at least once a day it is looked for"


async def test_the_inbox_remembers_what_was_taken_for_thirty_five_days(world: World) -> None:
    beta = await world.runner()
    message = world.message()
    await beta.receive([message])
    world.clock.now += TAKEN_KEPT - timedelta(seconds=1)
    assert await purged(world, beta.database) == 0
    world.clock.move(seconds=2)
    assert await purged(world, beta.database) == 1
    assert await statuses(beta.database) == {}


async def test_a_replay_older_than_the_inbox_remembers_changes_nothing(world: World) -> None:
    beta = await world.runner()
    message = world.message()
    await beta.receive([message])
    world.clock.now += TAKEN_KEPT + timedelta(days=1)
    await purged(world, beta.database)
    await beta.receive([message])
    assert await statuses(beta.database) == {message.id: "superseded"}
    assert await heard(beta.database) == [message.id], "once"


async def test_an_old_message_that_was_never_heard_asks_a_person_who_may_have_it_taken(asking: World) -> None:
    beta = await asking.runner()
    message = asking.message()
    asking.clock.now += TOO_OLD + timedelta(seconds=1)
    await beta.receive([message])
    assert await statuses(beta.database) == {message.id: "parked"}
    assert [q["input"][0]["valueString"] for q in await questions(beta.database)] == ["too-old"]
    assert await heard(beta.database) == []
    async with beta.database.writing() as tx:
        assert await store.put_back(tx, message.id, asking.clock()) == 1
    await beta.advance("patient/1")
    assert await statuses(beta.database) == {message.id: "done"}
    assert (await questions(beta.database))[-1]["status"] == "completed"


async def test_what_is_parked_is_never_purged(world: World) -> None:
    beta = await world.runner()
    message = world.message()
    world.clock.now += TOO_OLD + timedelta(seconds=1)
    await beta.receive([message])
    world.clock.move(days=400)
    assert await purged(world, beta.database) == 0
    assert await statuses(beta.database) == {message.id: "parked"}


async def test_a_refused_body_goes_after_half_a_year_and_its_issues_stay(world: World) -> None:
    database = await world.database()
    async with database.writing() as tx:
        await store.quarantine(tx, uuid7(world.clock()), world.clock(), "ehr", "POST /fhir", "{}", "a body")
    world.clock.now += BODY_KEPT + timedelta(seconds=1)
    assert await purged(world, database) == 1
    assert await rows(database, "select issues, body from quarantine") == [("{}", "")]
    assert await purged(world, database) == 0


def test_everything_the_inbox_has_forgotten_is_too_old_to_be_taken() -> None:
    assert TAKEN_KEPT > TOO_OLD >= SENT_KEPT


@pytest.mark.parametrize(("id_", "old"), [("made now", False), ("made then", True), ("no uuid", False)])
def test_the_age_of_a_message_is_in_its_id(id_: str, old: bool) -> None:
    ids = {"made now": uuid7(AT), "made then": uuid7(AT - TOO_OLD - timedelta(seconds=1)), "no uuid": "m-1"}
    assert is_too_old(ids[id_], AT) is old


def test_ids_made_before_an_instant_sort_before_its_first() -> None:
    first = first_uuid7(AT)
    assert all(uuid7(AT - timedelta(milliseconds=n)) < first for n in range(50))
    assert uuid7(AT + timedelta(milliseconds=1)) > first
    assert minted(uuid7(AT)) == AT
