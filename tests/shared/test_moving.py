"""An answer may say whose it is: it is decided there, and what it saves moves there, in hearers' copies too."""

from __future__ import annotations

from typing import Any

import pytest

from shared import store
from shared.core import Answer, Channel, Decision, Event, Resource
from shared.deliveries import Deliveries
from shared.failpoints import Failpoints
from shared.ports import Database
from tests.shared.world import Facts, World, rows

BEFORE, AFTER = "patient/in-before", "patient/in-after"
CLAIM = "be-moving"
IDENTITY = ("urn:ietf:rfc:3986", "http://ehr.test/Patient/1", "in-after")


def asking(event: Event, facts: Facts) -> Decision:
    """A command saves a Claim and asks; the answer saves it anew, wherever it is decided."""
    return Decision("noted", ({"resourceType": "Claim", "id": CLAIM, "said": event.reason},))


async def answered(world: World, answer: Answer) -> list[Any]:
    """Lane, source and identities after a delivery of the Claim was answered so."""

    async def send(claim: Resource, reader: Any, outside: Any) -> Answer:
        return answer

    world.script = asking
    world.channels = (Channel("payer", lambda before, after: None if before else "1", "idempotent", send),)
    runner = await world.runner()
    at = world.clock()
    await runner.take(Event("command", "asked", BEFORE, at, at, source="ehr"))
    outside: Any = None
    deliveries = Deliveries(runner, world.channels[0], runner.database, outside, world.clock, Failpoints(None))
    assert await deliveries.once() == 1
    await deliveries.stop(5.0)
    lanes = await rows(runner.database, "select lane from resource where id = $1", CLAIM)
    sources = await rows(runner.database, "select lane, source from decision where kind = 'answer'")
    known = await rows(runner.database, "select client, system, value, id from identity order by client")
    return [lanes, sources, known]


async def test_an_answer_is_decided_in_the_lane_it_names_and_what_it_saves_moves_there(world: World) -> None:
    lanes, sources, known = await answered(world, Answer("read", (), AFTER, (IDENTITY,), "ehr"))
    assert [tuple(r) for r in lanes] == [(AFTER,)]
    assert [tuple(r) for r in sources] == [(AFTER, "ehr")]
    assert [tuple(r) for r in known] == [("ehr", *IDENTITY)]


async def test_an_answer_that_names_nothing_stays_in_its_lane_and_is_the_channels(world: World) -> None:
    lanes, sources, known = await answered(world, Answer("read"))
    assert [tuple(r) for r in lanes] == [(BEFORE,)]
    assert [tuple(r) for r in sources] == [(BEFORE, "payer")]
    assert known == []


async def test_of_an_address_the_last_word_stands_and_of_a_business_identifier_the_first(world: World) -> None:
    runner = await world.runner()
    url, number = IDENTITY[:2], ("urn:mrn", "7")
    for patient in ("in-first", "in-second"):
        async with runner.database.writing() as tx:
            await store.identify(tx, "ehr", [(*url, patient), (*number, patient)])
    async with runner.database.reading() as tx:
        assert await store.addressed(tx, "ehr", [url[1], "http://ehr.test/Patient/2"]) == {url[1]: "Patient/in-second"}
        assert await store.addressed(tx, "another", [url[1]]) == {}
        found = await tx.fetch("select id from identity where system = $1", number[0])
    assert [r[0] for r in found] == ["in-first"]


async def test_what_is_said_once_is_taken_by_one_transaction_only(world: World) -> None:
    runner = await world.runner()
    async with runner.database.writing() as tx:
        assert await store.claimed(tx, "ehr", "message", "m1", "in-1")
    async with runner.database.writing() as tx:
        assert not await store.claimed(tx, "ehr", "message", "m1", "in-2")
        assert await store.claimed(tx, "other", "message", "m1", "in-2")
    with pytest.raises(LookupError):
        await _claimed_in_vain(runner.database)
    async with runner.database.writing() as tx:
        assert await store.claimed(tx, "ehr", "message", "m2", "in-3")


async def _claimed_in_vain(database: Database) -> None:
    async with database.writing() as tx:
        assert await store.claimed(tx, "ehr", "message", "m2", "in-2")
        raise LookupError("what was to be decided fails")


async def test_a_copy_moves_with_its_newer_version_and_not_back_with_an_older(world: World) -> None:
    runner = await world.runner()
    at = world.clock()

    def order(version: int) -> Resource:
        return {"resourceType": "ServiceRequest", "id": "al-1", "meta": {"versionId": f"1-{version}"}}

    for lane, version in ((BEFORE, 1), (AFTER, 2), (BEFORE, 1)):
        async with runner.database.writing() as tx:
            unit = store.Unit(tx, {})
            await unit.keep(runner.service, "alpha", lane, [order(version)], at)
            await unit.write()
    found = await rows(runner.database, "select lane, version from resource where id = 'al-1'")
    assert [tuple(r) for r in found] == [(AFTER, 2)]
