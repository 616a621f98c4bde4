from __future__ import annotations

import logging
from typing import Any

import pytest

from shared import refused, store
from shared.app import Handle
from shared.core import Answer, Doubtful, Event
from shared.deliveries import ATTEMPTS
from tests.shared.test_deliveries import Partner, carried, carrying, states
from tests.shared.world import SECRET, World, questions, rows


async def parked(asking: World, partner: Partner) -> tuple:
    """A delivery that was tried in vain as often as it may be."""
    runner, deliveries = await carrying(asking, partner, "idempotent")
    await asking.command(runner, "1")
    async with runner.database.writing() as tx:
        await tx.execute("update delivery set attempt = $1", ATTEMPTS - 1)
    await carried(deliveries)
    return runner, deliveries


async def test_a_delivery_tried_in_vain_is_parked_and_asks_a_person(
    asking: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    runner, _ = await parked(asking, Partner(answers=[Doubtful(f"lost: {SECRET}")]))
    assert [state for state, *_ in await states(runner)] == ["parked"]
    (question,) = await questions(runner.database)
    assert question["input"][0]["valueString"] == f"delivery-parked: payer after {ATTEMPTS} attempts"
    assert question["focus"] == {"reference": "Claim/be-1"}
    assert question["owner"]["identifier"]["value"] == "pharmacist"
    assert SECRET not in caplog.text + store.text_of(question)


async def test_its_question_goes_out_and_closes_when_the_delivery_is_answered_after_all(asking: World) -> None:
    partner = Partner(answers=[Doubtful("lost"), Answer("answered")])
    runner, deliveries = await parked(asking, partner)
    (delivery,) = (await rows(runner.database, "select id from delivery"))[0]
    async with runner.database.writing() as tx:
        assert await store.replay_delivery(tx, delivery, asking.clock()) == 1
        assert await store.replay_delivery(tx, delivery, asking.clock()) == 0, "only what is parked"
    await carried(deliveries)
    assert [state for state, *_ in await states(runner)] == ["answered"]
    assert [q["status"] for q in await questions(runner.database)] == ["requested", "completed"]
    said = [reason for (reason,) in await rows(runner.database, "select reason from outbox order by seq")]
    assert [r for r in said if r in refused.REASONS] == ["message-refused", "message-taken"]
    assert partner.sent == ["be-1:1"] * 2


async def test_a_notification_that_settles_it_closes_its_question_too(asking: World) -> None:
    runner, _ = await parked(asking, Partner(answers=[Doubtful("lost")]))
    settings: Any = None
    handle = Handle(runner.service, runner, runner.database, settings, settings, asking.clock)
    at = asking.clock()
    await handle.take(Event("answer", "answered", "patient/1", at, at, focus="Claim/be-1", source="payer"))
    assert [state for state, *_ in await states(runner)] == ["answered"]
    assert [q["status"] for q in await questions(runner.database)] == ["requested", "completed"]


async def test_a_delivery_is_parked_all_the_same_where_asking_fails(asking: World) -> None:
    asking.profiles = {"Claim": "claim|1.0"}
    runner, _ = await parked(asking, Partner(answers=[Doubtful("lost")]))
    assert [state for state, *_ in await states(runner)] == ["parked"]
    assert await questions(runner.database) == []
