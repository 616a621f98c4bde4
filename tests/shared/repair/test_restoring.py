from __future__ import annotations

import json
from typing import Any

import pytest

from shared import store
from shared.clock import stamp
from shared.core import Answer, Channel, Decision, Event
from shared.messages import Catalogue, following
from shared.repair.restoring import Restored, Restoring, recovered
from shared.run import Runner
from tests.shared.repair.copying import put_back, taken
from tests.shared.repair.mending import Pair, order_of, paired, scripted
from tests.shared.world import PARTITIONS, Facts, World, claim_of, heard, rows, statuses

LANE = "patient/1"


async def restored(pair: Pair, runner: Runner, *others: Runner, epoch: int | None = None) -> Restored:
    """What `carepod restored` does before the backfills."""
    databases = {o.service.name: o.database for o in others}
    catalogue = Catalogue(pair.world.services())
    work = Restoring(runner.service, runner.database, databases, catalogue, pair.world.clock, PARTITIONS)
    return await work.done(epoch)


async def started_again(pair: Pair) -> None:
    """alpha as its next process has it."""
    pair.alpha = await pair.world.runner("alpha")


async def versions(runner: Runner, id_: str = order_of(LANE)) -> list[str]:
    found = await rows(runner.database, "select epoch, version from history where id = $1 order by 1, 2", id_)
    return [f"{epoch}-{n}" for epoch, n in found]


async def current(runner: Runner, id_: str = order_of(LANE)) -> dict[str, Any]:
    ((body,),) = await rows(runner.database, "select body from resource where id = $1", id_)
    return dict(store.parsed(body))


async def test_a_restored_owner_takes_back_what_others_hold_and_goes_on_in_a_new_epoch(
    pair: Pair, engine: str | None
) -> None:
    await pair.say("1", "2")
    copy = await taken(pair.alpha.database, engine)
    await pair.say("3", "4")
    await pair.say("1", lane="patient/2")
    await pair.hear()
    await put_back(pair.alpha.database, copy)
    found = await restored(pair, pair.alpha, pair.beta, pair.delta)
    assert (found.epoch, found.versions, found.messages, found.lost, found.lost_messages) == (2, 3, 3, (), ())
    assert found.lanes == {LANE, "patient/2"}
    assert await versions(pair.alpha) == ["1-1", "1-2", "1-3", "1-4"]
    assert (await current(pair.alpha))["n"] == "4"
    await started_again(pair)
    await pair.say("5")
    await pair.hear()
    assert (await current(pair.alpha))["meta"]["versionId"] == "2-5"
    assert (await current(pair.beta))["n"] == "5"
    assert set((await statuses(pair.beta.database)).values()) == {"done"}
    assert len(await heard(pair.beta.database)) == 5, "each message once, in order"


async def test_a_message_one_hearer_has_and_another_lacks_is_sent_again(pair: Pair, engine: str | None) -> None:
    copy = await taken(pair.alpha.database, engine)
    await pair.say("1", "2")
    await pair.hear()
    await put_back(pair.alpha.database, copy)
    await restored(pair, pair.alpha, pair.beta, pair.delta)
    unsent = await rows(pair.alpha.database, "select seq, sent_at from outbox order by seq")
    assert unsent == [(1, None), (2, None)]
    assert await pair.relayed() == 2
    await pair.hear()
    assert len(await heard(pair.beta.database)) == 2


async def test_what_nobody_holds_is_listed_and_a_backfill_ends_the_waiting_for_it(
    pair: Pair, engine: str | None
) -> None:
    await pair.say("1")
    await pair.hear()
    copy = await taken(pair.alpha.database, engine)
    await pair.say("2")
    lost = pair.queue.waiting[0].id
    pair.queue.lost()
    await pair.say("3")
    third = pair.queue.waiting[0].id
    await pair.hear()
    assert (await statuses(pair.beta.database))[third] == "waiting"
    await put_back(pair.alpha.database, copy)
    found = await restored(pair, pair.alpha, pair.beta, pair.delta)
    assert found.lost_messages == ((LANE, lost),)
    await started_again(pair)
    await pair.backfill(pair.alpha, lanes=sorted(found.lanes))
    await pair.relayed()
    await pair.hear()
    assert set((await statuses(pair.beta.database)).values()) == {"done"}
    assert (await current(pair.beta))["n"] == (await current(pair.alpha))["n"] == "3"


async def test_a_resource_others_refer_to_and_nobody_has_is_listed(pair: Pair) -> None:
    gone = "ServiceRequest/al-00000000-0000-5000-8000-000000000009"

    def referring(event: Event, facts: Facts) -> Decision:
        return Decision("noted", ({"resourceType": "Claim", "id": claim_of(event.lane), "order": gone},))

    pair.world.script = referring
    await pair.world.command(pair.beta, "1")
    found = await restored(pair, pair.alpha, pair.beta, pair.delta)
    assert found.lost == (gone,)


async def test_a_second_restore_begins_a_higher_epoch_than_anybody_has_seen(pair: Pair, engine: str | None) -> None:
    await pair.say("1")
    copy = await taken(pair.alpha.database, engine)
    assert (await restored(pair, pair.alpha, pair.beta)).epoch == 2
    await started_again(pair)
    await pair.say("2")
    await pair.hear()
    await put_back(pair.alpha.database, copy)
    assert (await restored(pair, pair.alpha, pair.beta)).epoch == 3
    await put_back(pair.alpha.database, copy)
    assert (await restored(pair, pair.alpha, pair.beta, epoch=7)).epoch == 7


async def test_a_new_epochs_messages_come_after_all_that_were_said_before(pair: Pair, engine: str | None) -> None:
    await pair.say("1")
    copy = await taken(pair.alpha.database, engine)
    await pair.say("2", "3")
    await pair.hear()
    await put_back(pair.alpha.database, copy)
    await restored(pair, pair.alpha, pair.delta)
    await started_again(pair)
    await pair.say("4")
    assert [m.headers["seq"] > 3 for m in pair.queue.waiting if m.headers["epoch"] == 2] == [True]
    await pair.hear()
    assert (await current(pair.beta))["meta"]["versionId"] == "2-2", "later than 1-3, though it counts less"
    assert (await current(pair.beta))["n"] == "4"


@pytest.mark.parametrize(("seq", "epoch", "next_"), [
    (0, 1, 1), (7, 1, 8), (7, 2, 2**40 + 1), (2**40 + 1, 2, 2**40 + 2), (2**40 + 5, 3, 2**41 + 1),
])  # fmt: skip
def test_sequences_never_repeat_over_epochs(seq: int, epoch: int, next_: int) -> None:
    assert following(seq, epoch) == next_


async def test_what_was_under_way_to_a_partner_is_asked_about_before_it_is_sent(
    world: World, engine: str | None
) -> None:
    async def never(*_: Any) -> Answer:
        raise AssertionError("nothing is carried here")

    def due(before: Any, after: Any) -> str | None:
        return None if before else "1"

    world.channels = (Channel("payer", due, "inquirable", never, never),)
    pair = await paired(world)
    await pair.say("1")
    await pair.hear()
    copy = await taken(pair.beta.database, engine)
    pair.world.clock.move(minutes=1)
    await put_back(pair.beta.database, copy)
    found = await restored(pair, pair.beta, pair.alpha, pair.delta)
    assert found.doubtful == 1
    pair.beta = await world.runner("beta")
    await pair.say("1", lane="patient/2")
    await pair.hear()
    assert await rows(pair.beta.database, "select state from delivery") == [("in-doubt",)] * 2
    world.clock.move(days=31)
    pair.beta = await world.runner("beta")
    await pair.say("1", lane="patient/3")
    await pair.hear()
    assert sorted(await rows(pair.beta.database, "select state from delivery"))[-1] == ("prepared",)


async def test_every_lane_that_lost_decisions_looks_again(pair: Pair, engine: str | None) -> None:
    copy = await taken(pair.alpha.database, engine)
    await pair.say("1")
    await pair.hear()
    await put_back(pair.alpha.database, copy)
    await restored(pair, pair.alpha, pair.beta)
    assert await rows(pair.alpha.database, "select lane, key from wake") == [(LANE, "roused")]
    keys = json.loads((await rows(pair.alpha.database, "select keys from outbox"))[0][0])
    assert [key.partition(".")[0] for key in keys] == ["ServiceRequest"]


async def test_a_timer_long_due_decides_on_what_the_others_have_though_no_message_has_come_yet(
    pair: Pair, engine: str | None
) -> None:
    def counting(event: Event, facts: Facts) -> Decision:
        """beta notes, at each event, the states of the order and of the Task it sees."""
        if event.kind == "command":
            return scripted(event, facts)
        seen = sorted(str(r["n"]) for r in facts.held.values() if "n" in r)
        id_ = claim_of(event.lane)
        claim = facts.held.get(id_) or {"resourceType": "Claim", "id": id_, "seen": []}
        return Decision("noted", ({**claim, "seen": [*claim["seen"], [event.kind, *seen]]},))

    pair.world.script = counting
    await pair.say("1")
    await pair.hear()
    copy = await taken(pair.beta.database, engine)
    await pair.say("2", "task 1")
    await pair.hear()
    await put_back(pair.beta.database, copy)
    async with pair.beta.database.writing() as tx:
        await tx.insert("wake", ("lane", "key", "due_at"), [(LANE, "overdue", stamp(pair.world.clock()))])
    pair.beta = await pair.world.runner("beta")
    databases = {r.service.name: r.database for r in (pair.alpha, pair.beta, pair.delta)}
    databases["gamma"] = await pair.world.database("gamma")
    told = (await recovered(pair.beta, databases, PARTITIONS, None, 0)).told
    assert [(o, h, b.messages) for o, h, b in told if h == "beta"] == [("alpha", "beta", 1), ("delta", "beta", 1)]
    sweeper = pair.world.sweeper(pair.beta)
    assert await sweeper.wakes() == 1
    assert await seen(pair.beta) == [["message", "1"], ["wake", "2", "task 1"]]
    pair.world.clock.move(seconds=3)
    assert await sweeper.messages() == 2, "they are decided although the broker has not brought them"
    await pair.relayed()
    await pair.hear()
    assert len(await seen(pair.beta)) == 4, "and not a second time when it does"
    assert set((await statuses(pair.beta.database)).values()) == {"done"}
    sent = await rows(pair.beta.database, "select headers from outbox order by seq")
    assert set(json.loads(json.loads(sent[-1][0])["causes"])) == {"alpha", "delta"}


async def seen(runner: Runner) -> list[list[str]]:
    """What each of beta's decisions in the lane saw."""
    return list((await current(runner, claim_of(LANE)))["seen"])
