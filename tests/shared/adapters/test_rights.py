"""A service's own user works with its queues and its kinds, and is refused everything else, on RabbitMQ."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import httpx
import pytest
from aiormq.exceptions import ChannelAccessRefused
from typer.testing import CliRunner

from benchmarks.engines import Engines
from shared.adapters.rabbitmq import RabbitBroker
from shared.adapters.rights import address_of_service, rights_of
from shared.cli import command_line
from shared.core import Service
from shared.ports import Incoming, Outgoing, Unavailable
from tests.shared import toys

SERVICES = ("alpha", "beta", "gamma")


def declared(folder: Path) -> tuple[Service, ...]:
    return toys.services(toys.Payer(folder / "payer.db"))


def test_a_service_has_rights_on_its_own_queues_and_kinds_alone(tmp_path: Path) -> None:
    services = declared(tmp_path)
    rights = rights_of(services[1], services, "/")
    assert rights.user == "carepod-beta"
    assert dict(rights.permissions) == {
        "configure": r"^beta\.p[0-9]+$",
        "write": r"^(fhir|beta\.p[0-9]+)$",
        "read": r"^(fhir|beta\.p[0-9]+)$",
    }
    assert dict(rights.keys) == {
        "exchange": "fhir",
        "write": r"^(Claim|alpha|gamma)\.p[0-9]+$",
        "read": r"^(ServiceRequest|beta)\.p[0-9]+$",
    }


def test_a_password_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    file, password = address_of_service(tmp_path / "users", "beta", "amqp://guest:guest@mq:5672/prod", "prod-beta")
    assert file.read_text().strip() == f"amqp://prod-beta:{password}@mq:5672/prod"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(password) > 40
    assert address_of_service(tmp_path / "users", "beta", "amqp://guest:guest@mq:5672/prod", "x") == (file, password)


@pytest.fixture
def addresses(
    tmp_path: Path, engines: Engines, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, str]]:
    """Each toy's own address, as `carepod topology --users` wrote it; the users are gone at the end."""
    monkeypatch.setenv("CAREPOD_AMQP_URL", amqp_url)
    monkeypatch.setenv("CAREPOD_PARTITIONS", "1")
    app = command_line(lambda site: declared(tmp_path), lambda *_: None)
    arguments = ["topology", "--management", engines.management_url, "--users", str(tmp_path / "users")]
    for _ in range(2):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
    files = {name: tmp_path / "users" / f"{name}.amqp" for name in SERVICES}
    assert all(str(file) in result.stdout for file in files.values())
    yield {name: file.read_text().strip() for name, file in files.items()}
    with httpx.Client(base_url=engines.management_url, timeout=30) as management:
        for name in SERVICES:
            management.delete(f"/api/users/{urlsplit(amqp_url).path.removeprefix('/')}-{name}").raise_for_status()


async def test_its_own_user_says_hears_and_backfills(addresses: dict[str, str]) -> None:
    got: list[str] = []

    async def receive(messages: Sequence[Incoming]) -> None:
        got.extend(m.id for m in messages)

    alpha, beta = (RabbitBroker(addresses[name], 1, name=name) for name in ("alpha", "beta"))
    await beta.subscribe("beta", frozenset({"ServiceRequest"}), receive)
    await alpha.publish(Outgoing("said", "order-said", ("ServiceRequest.p0",), {}, b"{}"))
    await alpha.publish(Outgoing("told", "backfilled", ("beta.p0",), {}, b"{}"))
    async with asyncio.timeout(15):
        while got != ["said", "told"]:  # noqa: ASYNC110 (nobody signals it)
            await asyncio.sleep(0.05)
    await beta.close()
    await alpha.close()


async def test_its_own_user_may_not_say_what_another_owns(addresses: dict[str, str]) -> None:
    beta = RabbitBroker(addresses["beta"], 1, name="beta")
    with pytest.raises(Unavailable):
        await beta.publish(Outgoing("forged", "order-said", ("ServiceRequest.p0",), {}, b"{}"))
    await beta.close()


@pytest.mark.parametrize("queue", ["gamma.p0", "beta.parked", "gamma.parked"])
async def test_its_own_user_may_not_read_or_make_what_is_not_its_own(addresses: dict[str, str], queue: str) -> None:
    connection = await aio_pika.connect(addresses["beta"])
    async with connection:
        channel = await connection.channel()
        with pytest.raises(ChannelAccessRefused):
            await (await channel.get_queue(queue, ensure=False)).get(fail=False)
        channel = await connection.channel()
        with pytest.raises(ChannelAccessRefused):
            await channel.declare_queue(f"{queue}.more", durable=True)


async def test_its_own_user_may_not_bind_its_queue_to_what_it_does_not_hear(addresses: dict[str, str]) -> None:
    connection = await aio_pika.connect(addresses["beta"])
    async with connection:
        channel = await connection.channel()
        queue = await channel.get_queue("beta.p0", ensure=False)
        with pytest.raises(ChannelAccessRefused):
            await queue.bind("fhir", routing_key="Appointment.p0")
