"""Whatever comes as a message, it is taken or parked with a reason: rows 62 to 67 of `docs/bad-inputs.md`."""

from __future__ import annotations

import asyncio
import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aio_pika.exceptions import AMQPError
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from shared.adapters.amqp import EXCHANGE
from shared.adapters.rabbitmq import RabbitBroker, declare_topology
from shared.messages import Catalogue, Letter, Malformed, opened
from shared.ports import Incoming
from tests.fuzz import examples
from tests.shared.world import Facts, World, heard, noted, rows, sqlite_world, statuses

REASONS = {"malformed", "unknown-type", "wrong-producer"}


@pytest.mark.parametrize("contradiction", ["reason", "id", "lane", "producer", "resource id"])
async def test_64_an_envelope_that_contradicts_its_body_is_malformed(world: World, contradiction: str) -> None:
    runner = await world.runner()
    message = world.message()
    match contradiction:
        case "reason":
            wrong = replace(message, reason="noted")
        case "id":
            wrong = replace(message, id="another")
        case "lane":
            wrong = replace(message, headers={**message.headers, "lane": ""})
        case "producer":
            wrong = replace(message, headers={**message.headers, "producer": "delta"})
        case _:
            wrong = replace(message, body=message.body.replace(b'"al-patient-1"', b'"de-patient-1"'))
    await runner.receive([wrong])
    ((status, problem),) = await rows(runner.database, "select status, problem from inbox")
    assert (status, problem in REASONS) == ("parked", True)
    assert await heard(runner.database) == []


async def test_64_a_message_from_the_future_moves_no_clock(world: World) -> None:
    instants: list[Any] = []

    def script(event: Any, facts: Facts) -> Any:
        instants.append(event.at)
        return noted(event, facts)

    world.script = script
    runner = await world.runner()
    message = world.message()
    forward = json.loads(message.body) | {"timestamp": "9999-12-31T23:59:59Z"}
    await runner.receive([replace(message, body=json.dumps(forward).encode())])
    world.clock.move(seconds=60)
    await runner.receive([world.message()])
    assert [at.year for at in instants] == [world.clock().year] * len(instants)


# The decoder, fuzzed

_ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.text(max_size=8), st.just([]),
    st.just({}),
    st.just("x" * 5000), st.just("patient/\x00"), st.just("9" * 5000), st.just("[" * 1000), st.just(b"\xff\x00"),
    st.just({"a": [None, {"b": 1}]}), st.just("{}"), st.just('{"alpha": [1, {}]}'), st.just('{"alpha": 1}'),
)  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in items for place in ((*path, key), *_places(inner, (*path, key)))]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Incoming, Catalogue]:
    async def made(folder: Path) -> tuple[Incoming, Catalogue]:
        async with sqlite_world(folder) as world:
            return world.message(), Catalogue(world.services())

    return asyncio.run(made(tmp_path_factory.mktemp("world")))


@given(data=st.data())
@hypothesis_settings(max_examples=examples(300), deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_is_changed_in_a_message_it_is_opened_or_malformed(
    sample: tuple[Incoming, Catalogue], data: st.DataObject
) -> None:
    message, catalogue = sample
    bundle, headers = json.loads(message.body), dict(message.headers)
    for _ in range(data.draw(st.integers(1, 3))):
        if data.draw(st.booleans()):
            headers[data.draw(st.sampled_from(sorted(headers)))] = data.draw(_ODD)
        else:
            *steps, last = data.draw(st.sampled_from(_places(json.loads(message.body))))
            holder = copy.deepcopy(bundle)
            bundle, inner = holder, holder
            try:
                for step in steps:
                    inner = inner[step]
                inner[last] = data.draw(_ODD.filter(lambda odd: not isinstance(odd, bytes)))
            except (KeyError, IndexError, TypeError):
                continue
    body = json.dumps(bundle).encode()
    cut = data.draw(st.sampled_from([len(body), len(body), len(body) // 2]))
    odd = Incoming(message.id, data.draw(st.sampled_from([message.reason, "", "noted"])), headers, body[:cut])
    assert outcome(odd, catalogue) in REASONS | {"opened"}


@pytest.mark.parametrize("seq", [float("inf"), float("-inf"), float("nan"), 0, 2**62])
def test_a_number_that_is_none_makes_a_message_malformed(sample: tuple[Incoming, Catalogue], seq: float) -> None:
    message, catalogue = sample
    odd = replace(message, headers={**message.headers, "seq": seq})
    assert outcome(odd, catalogue) == "malformed"


def outcome(message: Incoming, catalogue: Catalogue) -> str:
    """What becomes of a message; anything raised but Malformed fails the test."""
    try:
        letter = opened(message, catalogue)
    except Malformed as malformed:
        return malformed.reason
    return "opened" if isinstance(letter, Letter) else "odd"


@hypothesis_settings(max_examples=examples(100))
@given(body=st.binary(max_size=300), headers=st.dictionaries(st.text(max_size=8), _ODD, max_size=5))
def test_any_bytes_and_headers_are_malformed(
    sample: tuple[Incoming, Catalogue], body: bytes, headers: dict[str, Any]
) -> None:
    with pytest.raises(Malformed):
        opened(Incoming("x", "said", headers, body), sample[1])


# At the broker itself


async def test_62_what_is_forged_at_the_broker_changes_nothing(amqp_url: str, tmp_path: Path) -> None:
    async with sqlite_world(tmp_path) as world:
        runner = await world.runner()
        await declare_topology(amqp_url, {"beta": frozenset({"ServiceRequest"})}, 1)
        broker = RabbitBroker(amqp_url, 1, name="test")
        good = world.message()
        connection = await aio_pika.connect(amqp_url)
        async with connection, connection.channel() as channel:
            elsewhere = await channel.declare_queue("elsewhere", exclusive=True)
            exchange = await channel.get_exchange(EXCHANGE, ensure=False)
            headers = {**good.headers, "x-death": [{"queue": "beta.p0", "count": 99}], "x-delivery-count": 99}
            for message in (
                aio_pika.Message(b"{", headers={"producer": "alpha"}),
                aio_pika.Message(
                    good.body, headers=headers, message_id=good.id, type=good.reason, reply_to="elsewhere"
                ),
            ):
                await exchange.publish(message, routing_key="ServiceRequest.p0", mandatory=True)
            await broker.subscribe("beta", frozenset({"ServiceRequest"}), runner.receive)
            async with asyncio.timeout(30):
                while len(await statuses(runner.database)) < 2:  # noqa: ASYNC110 (nobody signals it)
                    await asyncio.sleep(0.05)
            assert (await statuses(runner.database))[good.id] == "done"
            assert dict(await rows(runner.database, "select status, problem from inbox"))["parked"] == "malformed"
            assert await elsewhere.get(fail=False) is None
            other = await connection.channel()
            forger = await other.get_exchange(EXCHANGE, ensure=False)
            user = aio_pika.Message(good.body, headers=good.headers, user_id="somebody-else")
            with pytest.raises(AMQPError):
                await forger.publish(user, routing_key="ServiceRequest.p0", mandatory=True)
        await broker.close()
