from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shared import store
from shared.clock import uuid7
from shared.core import Decision, Event
from shared.messages import BACKFILLED, Cause, causes_json
from shared.run import Runner
from shared.turns import Turns
from tests.shared.repair.mending import Pair, order_of, scripted, task_of
from tests.shared.world import Facts, heard, rows, statuses

LANE = "patient/1"
AT = datetime(2026, 3, 2, 14, 0, tzinfo=UTC)


async def copies(pair: Pair) -> dict[str, tuple[object, str]]:
    """id -> (state, version) of what beta holds of others."""
    found = await rows(pair.beta.database, "select body from resource where owner <> 'beta'")
    held = [store.parsed(body) for (body,) in found]
    return {r["id"]: (r.get("n"), r["meta"]["versionId"]) for r in held}


async def waiting(pair: Pair) -> list[str]:
    return [i for i, status in (await statuses(pair.beta.database)).items() if status not in ("done", "superseded")]


async def test_a_new_service_is_told_the_current_version_of_every_lane_and_goes_on_from_there(pair: Pair) -> None:
    for n in (1, 2, 3):
        await pair.say("1", "2", lane=f"patient/{n}")
    assert pair.queue.lost() == 6
    await pair.forget(pair.alpha)
    (told,) = await pair.backfill(pair.alpha)
    assert (told.messages, told.resources) == (3, 3)
    await pair.relayed()
    await pair.hear()
    assert await copies(pair) == {order_of(f"patient/{n}"): ("2", "1-2") for n in (1, 2, 3)}
    await pair.say("3", lane="patient/2")
    await pair.hear()
    assert (await copies(pair))[order_of("patient/2")] == ("3", "1-3")
    assert await waiting(pair) == []
    assert [len(await heard(pair.beta.database, f"patient/{n}")) for n in (1, 2, 3)] == [1, 2, 1]


async def test_a_backfill_goes_to_one_service_alone(pair: Pair) -> None:
    await pair.say("1")
    await pair.backfill(pair.alpha)
    found = await rows(pair.alpha.database, "select keys from outbox where reason = $1", BACKFILLED)
    assert [keys for (keys,) in found] in [[f'["beta.p{n}"]'] for n in range(4)]


async def test_what_waits_for_something_lost_is_decided_once_a_backfill_stands_for_it(pair: Pair) -> None:
    await pair.say("1")
    pair.queue.lost()
    await pair.say("2")
    await pair.hear()
    assert len(await waiting(pair)) == 1
    await pair.forget(pair.alpha)
    await pair.backfill(pair.alpha)
    await pair.relayed()
    await pair.hear()
    assert await waiting(pair) == []
    assert len(await heard(pair.beta.database)) == 2


async def test_a_message_that_names_a_lost_one_after_the_backfill_was_taken_does_not_wait(pair: Pair) -> None:
    await pair.say("1", "task 1")
    pair.queue.lost()
    lost = (await rows(pair.alpha.database, "select id from outbox"))[0][0]
    await pair.forget(pair.alpha, pair.delta)
    await pair.backfill(pair.alpha)
    await pair.relayed()
    await pair.hear()
    await resting(pair.delta, {"alpha": Cause(1, {"beta": lost})})
    await pair.backfill(pair.delta)
    await pair.relayed()
    await pair.hear()
    assert await waiting(pair) == []
    assert set(await copies(pair)) == {order_of(LANE), task_of(LANE)}


async def resting(owner: Runner, causes: dict[str, Cause]) -> None:
    """What this owner says next in the lane rests on these."""
    async with owner.database.writing() as tx:
        await tx.execute("update lane set causes = $1 where key = $2", causes_json(causes), LANE)


async def test_backfills_that_rest_on_each_others_lost_messages_are_decided_on_both(pair: Pair) -> None:
    await pair.say("1", "task 1")
    pair.queue.lost()
    ids = {o.service.name: (await rows(o.database, "select id from outbox"))[0][0] for o in (pair.alpha, pair.delta)}
    await pair.forget(pair.alpha, pair.delta)
    await resting(pair.alpha, {"delta": Cause(1, {"beta": ids["delta"]})})
    await resting(pair.delta, {"alpha": Cause(1, {"beta": ids["alpha"]})})
    seen: list[set[str]] = []

    def looking(event: Event, facts: Facts) -> Decision:
        if event.kind == "message":
            seen.append({i for i in facts.held if not i.startswith("be-")})
        return scripted(event, facts)

    pair.world.script = looking
    await pair.backfill(pair.alpha)
    await pair.relayed()
    await pair.hear()
    assert (len(await waiting(pair)), seen) == (1, [])
    await pair.backfill(pair.delta)
    await pair.relayed()
    await pair.hear()
    assert await waiting(pair) == []
    assert seen == [{order_of(LANE), task_of(LANE)}] * 2, "neither is decided without the other"


async def test_what_a_backfill_brings_is_seen_by_nobody_before_what_it_rests_on(pair: Pair) -> None:
    await pair.say("1", "task 1")
    pair.queue.lost()
    (lost,) = [r[0] for r in await rows(pair.delta.database, "select id from outbox")]
    await pair.forget(pair.alpha, pair.delta)
    await resting(pair.alpha, {"delta": Cause(1, {"beta": lost})})
    await pair.backfill(pair.alpha)
    await pair.relayed()
    await pair.hear()
    assert await copies(pair) == {}, "a timer of the lane would see the order without its Task"
    await pair.backfill(pair.delta)
    await pair.relayed()
    await pair.hear()
    assert set(await copies(pair)) == {order_of(LANE), task_of(LANE)}
    assert await waiting(pair) == []


def backfilled(producer: str, seq: int, **causes: int) -> store.Unfinished:
    """A backfill of the lane in beta's inbox that rests on others' messages of these sequences."""
    named = causes_json({of: Cause(n, {"beta": uuid7(AT)}) for of, n in causes.items()})
    headers = {"causes": named, "previous": "{}"}
    return store.Unfinished(uuid7(AT), producer, LANE, seq, "new", 0, "", AT, BACKFILLED, headers)


def standing(*rows_: store.Unfinished) -> list[str]:
    turns = Turns("beta", rows_, AT)
    return [row.producer for row in turns.standing(rows_)]


@pytest.mark.parametrize(("seq", "stands"), [(6, []), (7, ["alpha", "delta"]), (8, ["alpha", "delta"])])
def test_a_backfill_stands_where_what_it_rests_on_is_covered_by_one_that_does(seq: int, stands: list[str]) -> None:
    assert standing(backfilled("alpha", 3, delta=7), backfilled("delta", seq, alpha=3)) == stands


def test_a_backfill_that_waits_covers_nobody() -> None:
    waits, behind, apart = backfilled("alpha", 3, delta=1), backfilled("gamma", 3, alpha=3), backfilled("epsilon", 1)
    assert standing(waits, behind, apart) == ["epsilon"]


async def test_a_consumer_never_goes_back_to_an_older_version(pair: Pair) -> None:
    await pair.say("1")
    await pair.hear()
    async with pair.beta.database.writing() as tx:
        await tx.execute("update resource set version = 9 where id = $1", order_of(LANE))
    before = await heard(pair.beta.database)
    await pair.backfill(pair.alpha)
    await pair.relayed()
    await pair.hear()
    found = await rows(pair.beta.database, "select version from resource where id = $1", order_of(LANE))
    assert found == [(9,)]
    assert await heard(pair.beta.database) == before
    assert sorted((await statuses(pair.beta.database)).values()) == ["done", "superseded"]


async def test_a_backfill_between_normal_messages_keeps_their_order(pair: Pair) -> None:
    await pair.say("1")
    await pair.backfill(pair.alpha)
    await pair.say("2")
    pair.queue.waiting.reverse()
    await pair.hear()
    outbox = [r[0] for r in await rows(pair.alpha.database, "select id from outbox order by seq")]
    assert await heard(pair.beta.database) == outbox
    assert (await copies(pair))[order_of(LANE)] == ("2", "1-2")


async def test_a_backfill_of_some_lanes_tells_of_those_alone(pair: Pair) -> None:
    await pair.say("1", lane="patient/1")
    await pair.say("1", lane="patient/2")
    (told,) = await pair.backfill(pair.alpha, lanes=["patient/2", "patient/none"])
    assert (told.messages, told.resources) == (1, 1)


async def test_a_lane_with_nothing_the_service_reads_is_not_told_of(pair: Pair) -> None:
    await pair.say("task 1")
    (told,) = await pair.backfill(pair.alpha)
    assert told.messages == 0
