from __future__ import annotations

from datetime import timedelta

from tests.shared.repair.mending import Pair
from tests.shared.world import heard, rows, statuses


async def outbox(pair: Pair) -> list[str]:
    return [r[0] for r in await rows(pair.alpha.database, "select id from outbox order by lane, seq")]


async def test_what_was_lost_with_a_queue_is_sent_again_under_the_same_ids_and_in_order(pair: Pair) -> None:
    await pair.say("1", "2")
    await pair.hear()
    await pair.say("3", "4", "5")
    assert pair.queue.lost() == 3
    resent = await pair.resend()
    assert (resent.messages, dict(resent.lacking)) == (3, {"beta": 3})
    assert await pair.relayed() == 3
    await pair.hear()
    assert await heard(pair.beta.database) == await outbox(pair)
    assert set((await statuses(pair.beta.database)).values()) == {"done"}


async def test_resending_again_sends_nothing_and_sending_all_doubles_nothing(pair: Pair) -> None:
    await pair.say("1", "2", "3")
    await pair.hear()
    assert (await pair.resend()).messages == 0
    assert (await pair.resend(every=True)).messages == 3
    await pair.relayed()
    assert await pair.hear() == 3
    assert await heard(pair.beta.database) == await outbox(pair)


async def test_only_what_was_sent_in_the_time_the_partition_and_the_lane_asked_for_is_sent_again(pair: Pair) -> None:
    await pair.say("1", lane="patient/1")
    lost_at = pair.world.clock()
    pair.world.clock.move(hours=1)
    await pair.say("1", lane="patient/2")
    pair.queue.lost()
    found = await rows(pair.alpha.database, "select lane, partition from outbox order by lane")
    (_, first), (_, second) = found
    assert (await pair.resend(since=lost_at + timedelta(minutes=1))).messages == 1
    assert (await pair.resend(until=lost_at + timedelta(minutes=1))).messages == 1
    await pair.relayed()
    pair.queue.lost()
    assert (await pair.resend(lane="patient/2")).messages == 1
    wanted = frozenset({first}) if first != second else frozenset({(first + 1) % 4})
    assert (await pair.resend(partitions=wanted)).messages == (1 if first != second else 0)


async def test_what_is_not_sent_yet_is_left_to_the_relay(pair: Pair) -> None:
    await pair.world.command(pair.alpha, "1")
    assert (await pair.resend()).messages == 0
    assert await pair.relayed() == 1
