from __future__ import annotations

import json
import logging
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from shared import store
from shared.core import Service
from shared.repair.digests import Compared, Digest, Drift, Owners, bucket_of, compared, digest_of
from shared.repair.nightly import KEY, Nightly
from tests.shared.repair.mending import Pair, order_of
from tests.shared.world import rows

CHICAGO = ZoneInfo("America/Chicago")


async def looked(pair: Pair, settle: float = 0) -> Compared:
    owners = Owners({"alpha": pair.alpha.database}.get)
    return await compared(pair.alpha.service, pair.beta.service, pair.beta.database, owners, settle)


async def test_copies_that_are_what_the_owner_has_do_not_differ(pair: Pair) -> None:
    for n in range(20):
        await pair.say("1", "2", lane=f"patient/{n}")
    await pair.hear()
    assert await looked(pair) == Compared("alpha", 20, ())


async def test_what_is_missing_or_behind_is_named_with_the_backfill_that_mends_it(pair: Pair) -> None:
    for n in (1, 2, 3):
        await pair.say("1", lane=f"patient/{n}")
    await pair.hear()
    await pair.say("2", lane="patient/2")
    await pair.say("1", lane="patient/4")
    pair.queue.lost()
    found = (await looked(pair)).drift
    assert {(d.id, d.owned, d.held, d.is_ahead) for d in found} == {
        (order_of("patient/2"), "1-2", "1-1", False), (order_of("patient/4"), "1-1", "", False)
    }  # fmt: skip
    assert {d.repair for d in found} == {f"carepod backfill beta --from alpha --lane patient/{n}" for n in (2, 4)}
    await pair.backfill(pair.alpha, lanes=sorted({d.lane for d in found}))
    await pair.relayed()
    await pair.hear()
    assert (await looked(pair)).drift == ()


async def test_an_owner_who_knows_less_than_its_hearers_was_restored(pair: Pair) -> None:
    await pair.say("1", "2")
    await pair.hear()
    async with pair.alpha.database.writing() as tx:
        await tx.execute("delete from resource")
    (found,) = (await looked(pair)).drift
    assert (found.owned, found.held, found.repair) == ("", "1-2", "carepod restored alpha")


async def test_a_later_epoch_is_ahead_of_a_higher_number() -> None:
    drift = Drift("alpha", "beta", "Task", "al-1", "patient/1", owned="2-3", held="1-9")
    assert not drift.is_ahead


async def test_what_is_on_its_way_is_no_drift(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    await pair.say("1")

    async def arrived_meanwhile(seconds: float) -> None:
        await pair.hear()

    monkeypatch.setattr("shared.repair.digests.asyncio.sleep", arrived_meanwhile)
    assert (await looked(pair, 5)).drift == ()


async def test_an_owner_that_does_not_answer_is_said_so(pair: Pair) -> None:
    found = await compared(pair.alpha.service, pair.beta.service, pair.beta.database, Owners({}.get), 0)
    assert (found.state, found.drift) == ("no answer", ())


async def test_another_process_is_asked_for_the_digest_and_then_for_what_differs(pair: Pair) -> None:
    await pair.say("1", lane="patient/1")
    await pair.say("1", lane="patient/2")
    asked: list[tuple[str, ...]] = []

    async def elsewhere(owner: str, hearer: str, places: list[str]) -> object:
        asked.append((owner, hearer, *places))
        here = Owners({"alpha": pair.alpha.database}.get)
        given = await (here.entries if places else here.digest)(*named(pair), *([places] if places else []))  # type: ignore[operator]
        return json.loads(json.dumps(given))

    found = await compared(*named(pair), pair.beta.database, Owners({}.get, elsewhere), 0)  # type: ignore[arg-type]
    assert {d.id for d in found.drift} == {order_of("patient/1"), order_of("patient/2")}
    places = {f"ServiceRequest|{bucket_of(order_of(f'patient/{n}'))}" for n in (1, 2)}
    assert asked == [("alpha", "beta"), *[("alpha", "beta", *sorted(places))] * 2]


def named(pair: Pair) -> tuple[Service, Service]:
    return pair.alpha.service, pair.beta.service


async def test_a_digest_hangs_on_every_version_and_on_no_order(pair: Pair) -> None:
    digests: list[Digest] = []
    for state in ("1", "2"):
        await pair.say(state)
        digests.append(await digest_of(pair.alpha.database, *named(pair)))
    (before,), (after,) = (d.values() for d in digests)
    assert (before[0], after[0]) == (1, 1)
    assert before[1] != after[1]


async def test_it_is_done_once_a_night_and_what_differs_is_kept(pair: Pair, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    await pair.say("1")
    pair.queue.lost()
    owners = Owners({"alpha": pair.alpha.database, "delta": pair.delta.database}.get)
    clock, declared = pair.world.clock, pair.world.services()

    def process() -> Nightly:
        return Nightly(pair.beta.service, pair.beta.database, declared, owners, clock, CHICAGO, 0)

    async def noted() -> dict[str, object] | None:
        async with pair.beta.database.reading() as tx:
            text = await store.noted(tx, KEY)
        return json.loads(text) if text else None

    nightly = process()
    clock.now = datetime(2026, 3, 2, 1, 59, tzinfo=CHICAGO)
    await nightly.once()
    assert await noted() is None, "not before two"
    clock.move(minutes=1)
    await nightly.once()
    report = await noted()
    assert report is not None
    assert (report["night"], report["count"]) == ("2026-03-02", 1)
    assert caplog.messages == ["beta: 1 copies of alpha differ (compared)"]
    await pair.backfill(pair.alpha)
    await pair.relayed()
    await pair.hear()
    for again in (nightly, process()):
        await again.once()
    assert await noted() == report, "not twice a night, not by another process"
    clock.move(days=1)
    await nightly.once()
    assert (await noted() or {})["count"] == 0
    assert await rows(pair.beta.database, "select count(*) from meta where key = $1", KEY) == [(1,)]
