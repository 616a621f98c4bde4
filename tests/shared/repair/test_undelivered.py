from __future__ import annotations

from datetime import timedelta

from shared.messages import Catalogue
from shared.repair.undelivered import Undelivered, undelivered
from shared.run import Runner
from tests.shared.repair.mending import Pair
from tests.shared.world import rows, statuses


async def found(pair: Pair, runner: Runner, over: timedelta = timedelta()) -> list[Undelivered]:
    now = pair.world.clock()
    return await undelivered(runner.service, runner.database, Catalogue(pair.world.services()), now - over, now)


async def test_an_unsent_message_names_who_has_not_got_it_why_and_since_when(pair: Pair) -> None:
    await pair.world.command(pair.alpha, "1")
    begun = pair.world.clock()
    pair.world.clock.move(minutes=3)
    async with pair.alpha.database.writing() as tx:
        await tx.execute("update outbox set problem = 'unroutable'")
    (item,) = await found(pair, pair.alpha)
    assert (item.service, item.what, item.to, item.reason, item.why) == (
        "alpha", "unsent", "beta", "said", "unroutable"
    )  # fmt: skip
    assert item.since == begun
    assert await found(pair, pair.alpha, timedelta(minutes=4)) == []
    await pair.relayed()
    assert await found(pair, pair.alpha) == []


async def test_a_message_that_waits_names_what_it_waits_for(pair: Pair) -> None:
    await pair.say("1")
    (lost,) = (m.id for m in pair.queue.waiting)
    pair.queue.lost()
    await pair.say("2")
    await pair.hear()
    (item,) = await found(pair, pair.beta)
    assert (item.what, item.reason, item.why) == ("unheard", "said of alpha", f"waits for alpha {lost}")


async def test_a_parked_message_tells_its_reason_and_attempts(pair: Pair) -> None:
    await pair.say("1")
    await pair.hear()
    async with pair.beta.database.writing() as tx:
        await tx.execute("update inbox set status = 'parked', attempt = 6, problem = 'KeyError rules.py:7'")
    (item,) = [i for i in await found(pair, pair.beta) if i.what == "unheard"]
    assert (item.why, item.attempts) == ("parked: KeyError rules.py:7", 6)


async def test_deliveries_and_what_was_refused_are_told_by_state_and_number_of_issues(pair: Pair) -> None:
    columns = ("id", "channel", "resource", "occurrence", "lane", "state", "next_at", "created_at", "problem")
    at = "2026-03-02T13:00:00.000000Z"
    states = ("prepared", "sending", "in-doubt", "parked", "answered")
    async with pair.beta.database.writing() as tx:
        made = [(s, "payer", "Claim/be-1", "1", "patient/1", s, at, at, "busy") for s in states]
        await tx.insert("delivery", columns, made)
        issues = '{"issue": [{"code": "value"}, {"code": "required"}]}'
        refused = ("q-1", at, "ehr", "POST /fhir", issues, "a body with a name")
        await tx.insert("quarantine", ("id", "at", "client", "place", "issues", "body"), [refused])
    items = await found(pair, pair.beta)
    assert {i.why for i in items if i.what == "delivery"} == {f"{s}: busy" for s in states[:-1]}
    assert [(i.to, i.why) for i in items if i.what == "refused"] == [("beta", "2 issues")]
    assert "name" not in "".join(map(str, items))


async def test_what_has_arrived_is_not_told_of(pair: Pair) -> None:
    await pair.say("1", "2")
    await pair.hear()
    assert set((await statuses(pair.beta.database)).values()) == {"done"}
    pair.world.clock.move(seconds=1)
    assert await found(pair, pair.alpha) == []
    assert [(i.what, i.to) for i in await found(pair, pair.beta)] == [("unsent", "gamma")] * 2, "its own answer"
    assert len(await rows(pair.alpha.database, "select id from outbox")) == 2
